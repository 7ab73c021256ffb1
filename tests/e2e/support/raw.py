"""HTTP/1.1 over a bare socket: for what an HTTP client hides, such as how a connection ends."""

from __future__ import annotations

import json
import socket
import struct
import time
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit

from tests.e2e.support.headgate import Json


@dataclass(frozen=True)
class Head:
    """The status and headers of an answer; names in lower case."""

    status: int
    headers: dict[str, str]


class Connection:
    """One TCP connection to `base_url`."""

    def __init__(self, base_url: str, *, receive_buffer: int | None = None, timeout: float = 30) -> None:
        address = urlsplit(base_url)
        self._socket = socket.socket()
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(timeout)
        self._socket.connect((address.hostname, address.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self.host = address.netloc

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def post(self, path: str, key: str, body: Json) -> None:
        """Send a whole request, and leave the connection open."""
        self.send(post_bytes(path, self.host, key, body))

    def wait(self, seconds: float) -> None:
        """Read nothing for a while."""
        time.sleep(seconds)

    def head(self) -> Head:
        """Read an answer's status line and headers."""
        text = self.until(b"\r\n\r\n").decode("latin-1")
        status, *lines = text.rstrip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Head(int(status.split(" ")[1]), headers)

    def body(self, head: Head) -> bytes:
        """Read an answer's whole body."""
        if head.headers.get("transfer-encoding") != "chunked":
            return self.exactly(int(head.headers.get("content-length", "0")))
        body = b""
        while piece := self.chunk():
            body += piece
        return body

    def chunk(self) -> bytes:
        """Read one chunk of a chunked body; empty at its end. Fails when the connection breaks off before that."""
        size = int(self.until(b"\r\n").partition(b";")[0], 16)
        data = self.exactly(size)
        assert self.exactly(2) == b"\r\n"
        return data

    def body_until(self, mark: bytes) -> bytes:
        """Read chunks until the body holds `mark`."""
        body = b""
        while mark not in body:
            piece = self.chunk()
            assert piece, f"the body ended without {mark!r}: {body!r}"
            body += piece
        return body

    def until(self, mark: bytes) -> bytes:
        """Read until `mark`, and return all before it and itself."""
        while mark not in self._buffer:
            self._more()
        found, _, self._buffer = self._buffer.partition(mark)
        return found + mark

    def exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def ended(self) -> bool:
        """Wait until the other side closes; tell whether it did so without another byte."""
        try:
            return self._buffer == b"" and self._socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def leave(self, how: str) -> float:
        """End the connection as a client that leaves; return the wall clock's milliseconds.

        "fin": closed in order, as most programs do. "rst": reset, as when a process is killed with data unread.
        """
        if how == "rst":
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            self._socket.shutdown(socket.SHUT_WR)
        now = time.time() * 1000
        self._socket.close()
        return now

    def _more(self) -> None:
        data = self._socket.recv(64 * 1024)
        if not data:
            raise ConnectionError(f"the connection ended; unread: {self._buffer[:200]!r}")
        self._buffer += data


def post_bytes(path: str, host: str, key: str, body: Json) -> bytes:
    """A whole POST request."""
    content = json.dumps(body).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        f"host: {host}",
        f"authorization: Bearer {key}",
        "content-type: application/json",
        f"content-length: {len(content)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content
