"""A server where PostgreSQL should be, and is not."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit

from tools.ports import HOST


class OddServer:
    """Takes connections and says one thing to each; b"" is nothing, and None hangs up at once."""

    def __init__(self, says: bytes | None) -> None:
        self._says = says
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self._kept: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> OddServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._listener.close()
        self._thread.join()
        for connection in self._kept:
            connection.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
                if self._says is None:
                    connection.close()
                else:
                    self._kept.append(connection)
                    connection.sendall(self._says)


def on_port(url: str, port: int) -> str:
    """The same address, with another server behind it."""
    parts = urlsplit(url)
    return url.replace(f":{parts.port}/", f":{port}/")


def with_password(url: str, password: str) -> str:
    return url.replace(f":{urlsplit(url).password}@", f":{password}@")
