"""The edge of `make dev`: what stands between clients and workerd, as Cloudflare's network does in production.

Two things that an edge does, and workerd alone does not:

- It notices at once that a client has left. A client that closes its connection in order sends FIN, which workerd takes
  for a half-close and ignores until it next writes. Here FIN from the client becomes a reset towards workerd, and the
  request's signal fires. (`wrangler dev`'s own proxy can't do it: it holds each request in a Durable Object until the
  answer begins.)
- It lets a refusal arrive. When workerd answers before it has read the whole request and closes, the connection is
  reset, and a client that is still sending would see the reset and not the answer. Here the rest of the request is read
  and thrown away, for a while.

Usage: python -m tools.edge --port PORT --to PORT [--exit-with-stdin]; prints `edge ready on http://127.0.0.1:PORT`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from tools.arguments import parser_of
from tools.child_server import ChildServer
from tools.ports import HOST

CHUNK_BYTES = 128 * 1024
RESTART_SECONDS = 5.0  # how long to wait for workerd when it restarts after a change of the code
RETRY_SECONDS = 0.05
LINGER_SECONDS = 5.0
BACKLOG = 4096
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


class Edge(ChildServer):
    """Listens on `port` and hands connections to workerd on `worker_port`, in a process of its own."""

    def __init__(self, port: int, worker_port: int, on_line: Callable[[str, int], None]) -> None:
        command = [sys.executable, "-m", "tools.edge", "--port", str(port), "--to", str(worker_port)]
        super().__init__("edge", command, os.environ, on_line)


class Splice:
    """One client's connection and the one to workerd behind it."""

    def __init__(self, client: socket.socket, worker_port: int) -> None:
        self._client = client
        self._worker_port = worker_port
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Hand bytes on, both ways, until one side is done."""
        worker = await self._connect()
        if worker is None:
            _reset(self._client)
            return
        sending = asyncio.create_task(self._requests(worker))
        try:
            await self._answers(worker)
        finally:
            sending.cancel()
            _reset(worker)
        await self._linger()

    async def _connect(self) -> socket.socket | None:
        deadline = time.monotonic() + RESTART_SECONDS
        while time.monotonic() < deadline:
            worker = _plain(socket.socket())
            try:
                await self._loop.sock_connect(worker, (HOST, self._worker_port))
            except OSError:
                worker.close()
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return worker
        return None

    async def _requests(self, worker: socket.socket) -> None:
        """Hand the client's bytes on. When it leaves, make `_answers` end, which resets workerd's side."""
        while data := await self._received():
            try:
                await self._loop.sock_sendall(worker, data)
            except OSError:
                return  # workerd takes no more; what it has said may still be on its way
        with suppress(OSError):
            worker.shutdown(socket.SHUT_RD)

    async def _received(self) -> bytes:
        """Return the client's next bytes, or nothing when it has left, in order or not."""
        try:
            return await self._loop.sock_recv(self._client, CHUNK_BYTES)
        except OSError:
            return b""

    async def _answers(self, worker: socket.socket) -> None:
        """Hand workerd's bytes on. What had arrived before a reset is still there to be read."""
        with suppress(OSError):
            while data := await self._loop.sock_recv(worker, CHUNK_BYTES):
                await self._loop.sock_sendall(self._client, data)

    async def _linger(self) -> None:
        """End the connection so that the client gets what was sent to it, also if it is still sending itself."""
        with suppress(OSError, TimeoutError):
            self._client.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(LINGER_SECONDS):
                while await self._loop.sock_recv(self._client, CHUNK_BYTES):
                    pass
        self._client.close()


def _plain(connection: socket.socket) -> socket.socket:
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _reset(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


async def serve(port: int, worker_port: int) -> None:
    """Accept connections until the process ends."""
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, os._exit, 0)
    listener = socket.create_server((HOST, port), backlog=BACKLOG)
    listener.setblocking(False)
    print(f"edge ready on http://{HOST}:{listener.getsockname()[1]}", flush=True)
    splices: set[asyncio.Task[None]] = set()
    while True:
        client, _ = await loop.sock_accept(listener)
        splice = asyncio.create_task(Splice(_plain(client), worker_port).run())
        splices.add(splice)
        splice.add_done_callback(splices.discard)


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--exit-with-stdin", action="store_true")
    options = parser.parse_args()
    if options.exit_with_stdin:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        asyncio.run(serve(options.port, options.to))
    except OSError as error:
        sys.exit(f"edge: {error}")


if __name__ == "__main__":
    main()
