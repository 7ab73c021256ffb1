"""PostgreSQL's port over CPython's sockets: what the platform's socket does in the Worker."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from urllib.parse import urlsplit

from lib.store.pg_connection import Address, ConnectionLost


class AsyncioStream:
    """Implements `lib.store.pg_connection.ByteStream`. Connects when it is first used."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def read(self) -> bytes:
        try:
            return await (await self._connected())[0].read(65536)
        except OSError as error:
            raise ConnectionLost(str(error)) from None

    async def write(self, data: bytes) -> None:
        try:
            writer = (await self._connected())[1]
            writer.write(data)
            await writer.drain()
        except OSError as error:
            raise ConnectionLost(str(error)) from None

    async def close(self) -> None:
        ends, self._ends = self._ends, None
        if ends is not None:
            ends[1].close()
            with suppress(OSError):
                await ends[1].wait_closed()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._ends is None:
            self._ends = await asyncio.open_connection(self._host, self._port)
        return self._ends


def address(url: str) -> Address:
    """What `lib.runtime.hyperdrive` makes of a binding, from an address."""
    parts = urlsplit(url)
    host, port = str(parts.hostname), int(parts.port or 0)
    return Address(
        user=str(parts.username),
        password=str(parts.password),
        database=parts.path.lstrip("/"),
        connect=lambda: AsyncioStream(host, port),
        derive=_derive,
    )


async def _derive(password: bytes, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password, salt, iterations)
