"""./headgate doctor, against a stand-in for a deployment that is well, and for what may be wrong with one."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tools.doctor import Finding, Site, Verdict, doctor, examine, site_of
from tools.project import ToolError, pyproject

KEY, FRESH = "hg_the-right-one", "hg_a-fresh-one"
READY = {
    "status": "ok",
    "checks": {"database": "ok", "gate": "ok"},
    "milliseconds": {"database": 4, "gate": 9},
    "failures": {},
    "without": [],
}


@dataclass
class Deployment:
    """What a Headgate answers, and what is wrong with it or before it."""

    ready: dict[str, Any] = field(default_factory=lambda: json.loads(json.dumps(READY)))
    version: str = pyproject()["project"]["version"]
    web_firewall: bool = False  # a prompt that looks like an attack gets a page
    browsers_only: bool = False  # who has no user-agent gets one
    buffers: bool = False
    compresses: bool = False
    any_origin: bool = False
    cached: bool = False  # a key that was ended goes on
    seconds_ahead: float = 0
    ended: bool = False


class Handler(BaseHTTPRequestHandler):
    site: Deployment
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        key = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        fresh_works = key == FRESH and (self.site.cached or not self.site.ended)
        if (self.site.web_firewall and b"<script>" in body) or (
            self.site.browsers_only and "user-agent" not in self.headers
        ):
            self.say(403, b"<html><b>Error</b> 1010", ("content-type", "text/html; charset=UTF-8"))
        elif self.command == "OPTIONS":
            self.preflight()
        elif self.path in ("/livez", "/readyz"):
            self.tell(200, {"status": "ok"} if self.path == "/livez" else self.site.ready)
        elif self.path == "/openapi.json":
            self.tell(200, {"info": {"version": self.site.version}})
        elif key != KEY and not fresh_works:
            self.tell(401, {"error": {"code": "invalid_api_key"}})
        else:
            self.answer_a_caller(body)

    def answer_a_caller(self, body: bytes) -> None:
        if self.command == "DELETE":
            self.site.ended = True
            self.say(204, b"", ("x-headgate-request-id", "1"))
        elif self.path == "/api/v1/keys":
            self.tell(201, {"data": {"id": "k1", "secret": FRESH}})
        elif b'"stream": true' in body:
            self.stream()
        else:
            self.tell(200, {"data": []})

    def preflight(self) -> None:
        if self.path.startswith("/v1/"):
            asked = self.headers.get("access-control-request-headers") or ""
            self.say(204, b"", ("access-control-allow-headers", asked), ("x-headgate-request-id", "1"))
        else:
            more = [("access-control-allow-origin", "*")] if self.site.any_origin else []
            self.say(403, b"{}", *more, ("x-headgate-request-id", "1"))

    def stream(self) -> None:
        event = b'data: {"x": 1}\n\n'
        headers = [("content-type", "text/event-stream"), ("x-headgate-request-id", "1")]
        if self.site.compresses:
            self.say(200, gzip.compress(event), *headers, ("content-encoding", "gzip"))
            return
        self.send_response(200)
        for name, value in (*headers, ("transfer-encoding", "chunked")):
            self.send_header(name, value)
        self.end_headers()
        for _ in range(3):
            time.sleep(0.1)
            if not self.site.buffers:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
        if self.site.buffers:
            self.wfile.write(b"%x\r\n%b\r\n" % (3 * len(event), 3 * event))
        self.wfile.write(b"0\r\n\r\n")

    def tell(self, status: int, body: Any) -> None:
        self.say(
            status, json.dumps(body).encode(), ("content-type", "application/json"), ("x-headgate-request-id", "1")
        )

    def say(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 204:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, _timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() + self.site.seconds_ahead)

    do_GET = do_POST = do_DELETE = do_OPTIONS = answer  # noqa: N815 - the names that the server calls

    def log_message(self, *_: object) -> None:
        """Be silent."""


@contextmanager
def running(deployment: Deployment) -> Iterator[str]:
    handler = type("Bound", (Handler,), {"site": deployment})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def found(deployment: Deployment, key: str = KEY) -> list[Finding]:
    with running(deployment) as url:
        return list(examine(Site(url, key, "sim/chat")))


def test_a_deployment_that_is_well() -> None:
    """Everything is asked, and nothing is to be done."""
    assert {each.verdict for each in found(Deployment())} == {Verdict.OK}
    names = [each.name for each in found(Deployment())]
    assert {"tls", "alive", "clock", "gate", "version", "key", "cors", "prompts", "streams", "ended keys"} <= set(names)


def test_without_a_key_less_is_asked() -> None:
    """And it is said."""
    listed = {each.name: each for each in found(Deployment(), key="")}
    assert listed["streams"].verdict is Verdict.WARN
    assert listed["prompts"].verdict is Verdict.OK
    assert "ended keys" not in listed


def with_ready(**changes: Any) -> dict[str, Any]:
    return {**READY, **changes}


@pytest.mark.parametrize(
    ("deployment", "name", "verdict", "said"),
    [
        (Deployment(web_firewall=True), "prompts", "fail", "from OpenAI/Python 2.8.0 is answered 403 text/html"),
        (Deployment(web_firewall=True), "prompts", "fail", "Cloudflare error 1010"),
        (Deployment(browsers_only=True), "prompts", "fail", "from a client without user-agent"),
        (Deployment(buffers=True), "streams", "fail", "held back until its end"),
        (Deployment(compresses=True), "streams", "fail", "compressed as gzip"),
        (Deployment(any_origin=True), "cors", "fail", "/api answers any origin"),
        (Deployment(cached=True), "ended keys", "fail", "switch Hyperdrive's cache off"),
        (Deployment(seconds_ahead=90), "clock", "warn", "set this machine's clock"),
        (Deployment(version="0.0.1"), "version", "warn", "0.0.1 runs there"),
        (
            Deployment(ready=with_ready(milliseconds={"database": 4, "gate": 140})),
            *(
                "gate",
                "warn",
                "140 ms away from where this was answered: it stays where its first call came from",
            ),
        ),
        (
            Deployment(ready=with_ready(checks={"database": "misconfigured", "gate": "ok"})),
            *("database", "fail", "the login in Hyperdrive is not the Worker's"),
        ),
        (Deployment(ready=with_ready(checks={"database": "timeout"})), "database", "fail", "timeout: the log line"),
        (Deployment(ready=with_ready(without=["archive"])), "archive", "warn", "switch R2 on"),
        (Deployment(ready=with_ready(without=["mail"])), "mail", "warn", "set MAIL, MAIL_FROM and PUBLIC_URL"),
        (Deployment(ready=with_ready(failures={"kv_read": 3})), "failures", "warn", "kv_read 3"),
        (Deployment(ready={"hello": 1}), "ready", "fail", "something else stands there"),
    ],
)
def test_what_is_wrong_is_named_with_what_to_do(deployment: Deployment, name: str, verdict: str, said: str) -> None:
    [finding] = [each for each in found(deployment) if each.name == name]
    assert (finding.verdict, said in finding.said) == (verdict, True), finding.said


def test_a_wrong_key_is_named() -> None:
    """And never shown."""
    listed = found(Deployment(), key="hg_mine")
    [finding] = [each for each in listed if each.name == "key"]
    assert finding.verdict is Verdict.FAIL
    assert "hg_mine" not in str(listed)


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    """One line, and the exit code."""
    with running(Deployment()) as url:
        pass
    assert doctor(Site(url), as_json=True) == 1
    assert json.loads(capsys.readouterr().out)[-1]["verdict"] == "fail"


def test_the_exit_code_tells_failures_from_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    with running(Deployment(version="0.0.1")) as url:
        assert doctor(Site(url, KEY), as_json=False) == 0
    assert "warn  version: 0.0.1 runs there" in capsys.readouterr().out
    with running(Deployment(any_origin=True)) as url:
        assert doctor(Site(url, KEY), as_json=False) == 1


@pytest.mark.parametrize("url", ["http://ai.example.com", "ftp://x", "https://", "https://x/?q=1"])
def test_where_it_does_not_ask(url: str) -> None:
    """A key in the clear, or no address."""
    with pytest.raises(ToolError):
        site_of(url, KEY, "")
