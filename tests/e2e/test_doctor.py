"""./headgate doctor against a real Headgate, and against one behind a proxy that holds answers back."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import sim_model
from tools.doctor import Site, Verdict, examine

SLOW = "chunks20-gap30"
NOT_PASSED_ON = ("content-length", "transfer-encoding", "content-encoding", "connection", "date", "server")


def test_a_local_headgate_is_well(headgate: Headgate) -> None:
    """Nothing fails, and nothing is missed."""
    listed = list(examine(Site(headgate.base_url, headgate.key, sim_model(SLOW))))
    assert [each for each in listed if each.verdict is Verdict.FAIL] == []
    by_name = {each.name: each for each in listed}
    for name in ("alive", "version", "strangers", "key", "cors", "prompts", "streams", "ended keys"):
        assert by_name[name].verdict is Verdict.OK, by_name[name]
    assert {"database", "gate"} <= set(by_name)  # how far they seem depends on what else this machine does
    assert not {"mail", "archive"} & set(by_name)  # told only where there is none


def test_a_proxy_that_buffers_is_found(headgate: Headgate, http: httpx.Client) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            answer = http.request(self.command, headgate.base_url + self.path, headers=sent, content=body)
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name not in NOT_PASSED_ON:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_DELETE = do_OPTIONS = do_POST  # noqa: N815 - the names that the server calls

        def log_message(self, *_: object) -> None:
            """Be silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        listed = list(examine(Site(url, headgate.key, sim_model(SLOW))))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    [failed] = [each for each in listed if each.verdict is Verdict.FAIL]
    assert failed.name == "streams"
    assert "held back" in failed.said
