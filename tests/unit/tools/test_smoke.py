from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tools.project import ToolError
from tools.smoke import smoke

REFUSAL = (401, {"error": {"code": "missing_api_key"}})


@contextmanager
def answering(ready: list[int], models: tuple[int, object], with_key: int = 200) -> Iterator[str]:
    """A server whose /readyz answers `ready`, one after another, the last one for ever."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/readyz":
                status, body = (ready.pop(0) if len(ready) > 1 else ready[0]), {"checks": {"database": "failed"}}
            else:
                status, body = (with_key, {}) if self.headers.get("authorization") == "Bearer hg_key" else models  # type: ignore[assignment]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Be silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_deployment_that_comes_up_is_found_right() -> None:
    """Its address may take a while."""
    with answering([503, 503, 200], REFUSAL) as url:
        assert smoke(url, "hg_key", seconds=5, pause=0.01)[-1] == "the new key is known"
        assert len(smoke(url, None)) == 2


@pytest.mark.parametrize(
    ("ready", "models", "with_key", "said"),
    [
        ([503], REFUSAL, 200, "database"),
        ([200], (200, {"data": []}), 200, "something else"),
        ([200], (401, []), 200, "something else"),
        ([200], REFUSAL, 401, "not the deployment's"),
    ],
)
def test_what_is_wrong_is_named(ready: list[int], models: tuple[int, object], with_key: int, said: str) -> None:
    with answering(ready, models, with_key) as url, pytest.raises(ToolError, match=said):
        smoke(url, "hg_key", seconds=0, pause=0.01)


def test_an_address_where_nothing_answers() -> None:
    with pytest.raises(ToolError, match="answers nothing"):
        smoke("http://127.0.0.1:1", None, seconds=0, pause=0.01)
