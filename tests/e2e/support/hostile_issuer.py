"""An identity provider that is hostile, or broken: its discovery is as good as a test wants it to be."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

Script = Callable[[BaseHTTPRequestHandler], None]


class HostileIssuer:
    """Answers each path as `scripts` say, 404 otherwise; `asked` are the paths that were asked for."""

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> HostileIssuer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def plays(self, **scripts: Script) -> None:
        """Forget what was, and answer /discovery, /token and so on as told."""
        self.asked = []
        self.scripts = {f"/{name}": script for name, script in scripts.items()}

    def described(self) -> Script:
        """Metadata as it should be."""
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        paths = dict(zip(names, ("/auth", "/token", "/keys"), strict=True))
        return says({"issuer": self.url} | {name: self.url + path for name, path in paths.items()})


def says(value: object, status: int = 200, **headers: str) -> Script:
    """A whole answer."""

    def script(call: BaseHTTPRequestHandler) -> None:
        text = json.dumps(value).encode()
        call.send_response(status)
        for name, content in {"content-type": "application/json", "content-length": str(len(text)), **headers}.items():
            call.send_header(name, content)
        call.end_headers()
        call.wfile.write(text)

    return script


def pours(call: BaseHTTPRequestHandler) -> None:
    """A body without an end, until the other side has had enough."""
    call.send_response(200)
    call.send_header("content-type", "application/json")
    call.end_headers()
    try:
        for _ in range(20_000):
            call.wfile.write(b" " * 65_536)
    except OSError:
        return
    raise AssertionError("more than a gigabyte was taken")


def breaks_off(call: BaseHTTPRequestHandler) -> None:
    """Half of what was announced."""
    call.send_response(200)
    call.send_header("content-length", "1000")
    call.end_headers()
    call.wfile.write(b'{"issuer": ')


def waits(seconds: float) -> Script:
    """Nothing at all, for a while."""

    def script(_call: BaseHTTPRequestHandler) -> None:
        threading.Event().wait(seconds)

    return script


def _handler(issuer: HostileIssuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _play(self) -> None:
            path = self.path.replace("/.well-known/openid-configuration", "/discovery")
            issuer.asked.append(path)
            issuer.scripts.get(path, says({}, 404))(self)

        do_GET = do_POST = _play  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
