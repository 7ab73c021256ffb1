"""A proxy before PostgreSQL that takes a client's packets apart, as a pooler may that works message by message.

https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit

from tools.ports import HOST

SYNC, EXECUTE, QUERY, READY = b"S", b"E", b"Q", b"Z"
PAUSE_SECONDS = 0.0005
Way = Callable[[socket.socket, socket.socket, deque[bool]], None]


class SplittingProxy:
    """Sends each message by itself, in two pieces with a pause between, and a Sync of its own behind each Execute.

    So a group is no longer one transaction unless it says BEGIN. `split` counts the Syncs that it has added.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (str(parts.hostname), int(parts.port or 0))
        self._listener = socket.create_server((HOST, 0))
        port = int(self._listener.getsockname()[1])
        self.url = url.replace(f":{parts.port}/", f":{port}/")
        self.split = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> SplittingProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.create_connection(self._server)
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                ours: deque[bool] = deque()  # for each Sync that the server has not answered: is it one that we added?
                for run in (self._to_server, self._to_client):
                    threading.Thread(target=_until_closed, args=(run, client, server, ours), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, ours: deque[bool]) -> None:
        (length,) = struct.unpack("!i", _exactly(client, 4))
        server.sendall(struct.pack("!i", length) + _exactly(client, length - 4))  # the greeting has no type
        while True:
            kind, whole = _message(client)
            if kind in (SYNC, QUERY):
                ours.append(False)
            _in_pieces(server, whole)
            if kind == EXECUTE:
                self.split += 1
                ours.append(True)
                _in_pieces(server, SYNC + struct.pack("!i", 4))

    def _to_client(self, client: socket.socket, server: socket.socket, ours: deque[bool]) -> None:
        while True:
            kind, whole = _message(server)
            if kind == READY and ours and ours.popleft():  # the one after the login answers no Sync
                continue
            _in_pieces(client, whole)


def _until_closed(run: Way, client: socket.socket, server: socket.socket, ours: deque[bool]) -> None:
    try:
        with suppress(OSError, EOFError):
            run(client, server, ours)
    finally:
        for end in (client, server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def _in_pieces(end: socket.socket, data: bytes) -> None:
    half = len(data) // 2
    end.sendall(data[:half])
    time.sleep(PAUSE_SECONDS)
    end.sendall(data[half:])


def _message(end: socket.socket) -> tuple[bytes, bytes]:
    head = _exactly(end, 5)
    kind, length = struct.unpack("!ci", head)
    return kind, head + _exactly(end, length - 4)


def _exactly(end: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = end.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data
