"""A real HTTP server that behaves as the path says, for calls of the Worker's own."""

from __future__ import annotations

import gzip
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from tools.ports import HOST

PIECE = b"x" * 1024


class HttpServer:
    """Keeps the paths that were asked for, and of which the client has left."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer((HOST, 0), _Handler)
        self._server.daemon_threads = True
        self.asked: list[str] = []
        self.left = threading.Event()
        self._server.kept = self  # type: ignore[attr-defined]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.server_port}"

    def __enter__(self) -> HttpServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        kept: HttpServer = self.server.kept  # type: ignore[attr-defined]
        kept.asked.append(self.path)
        body = self._read()
        try:
            getattr(self, f"_{self.path.strip('/').replace('-', '_')}")(body)
        except OSError:
            kept.left.set()
            self.close_connection = True

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the library's

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def _read(self) -> list[str]:
        """Return the body as it came: in the pieces of its chunks, or in one."""
        if self.headers.get("transfer-encoding") != "chunked":
            return [self.rfile.read(int(self.headers.get("content-length", 0))).decode()]
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size).decode())
            self.rfile.readline()
        self.rfile.readline()
        return pieces

    def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, text in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def _echo(self, body: list[str]) -> None:
        headers = {name.lower(): text for name, text in self.headers.items()}
        text = json.dumps({"method": self.command, "headers": headers, "body": body}).encode()
        self._say(200, {"set-cookie": "a=b; Path=/", "x-odd": "caf\u00e9"}, text)

    def _nothing(self, _body: list[str]) -> None:
        self.send_response(204)
        self.end_headers()

    def _elsewhere(self, _body: list[str]) -> None:
        self._say(302, {"location": "/echo"}, b"")

    def _packed(self, _body: list[str]) -> None:
        self._say(200, {"content-encoding": "gzip"}, gzip.compress(PIECE * 100))

    def _odd(self, _body: list[str]) -> None:
        self._say(200, {"content-encoding": "deflate"}, b"nobody unpacks this")

    def _silent(self, _body: list[str]) -> None:
        time.sleep(60)

    def _large(self, _body: list[str]) -> None:
        self._stream(100)

    def _endless(self, _body: list[str]) -> None:
        self._stream(10**6, pause=0.02)

    def _stalled(self, _body: list[str]) -> None:
        self._stream(3)
        time.sleep(60)

    def _broken(self, _body: list[str]) -> None:
        self._say(200, {"content-length": "9999"}, PIECE)
        self.close_connection = True

    def _stream(self, pieces: int, pause: float = 0) -> None:
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for _ in range(pieces):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(PIECE), PIECE))
            time.sleep(pause)
        if self.path == "/large":
            self.wfile.write(b"0\r\n\r\n")
