"""Hyperdrive's binding: a socket to the team's PostgreSQL, and the part of a login that is too slow in Python."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import js
from js import Object
from pyodide.ffi import JsException, to_js

from lib.store.pg_connection import Address, ConnectionLost


class JsSocket:
    """Implements `lib.store.pg_connection.ByteStream` on a socket of the platform."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._reader = socket.readable.getReader()
        self._writer = socket.writable.getWriter()

    async def read(self) -> bytes:
        try:
            chunk = await self._reader.read()
        except JsException as error:
            raise ConnectionLost(error.message or "") from None
        return b"" if chunk.done else chunk.value.to_bytes()

    async def write(self, data: bytes) -> None:
        try:
            await self._writer.write(to_js(data))
        except JsException as error:
            raise ConnectionLost(error.message or "") from None

    async def close(self) -> None:
        with suppress(JsException):
            await self._socket.close()


def address(binding: Any) -> Address:
    """Return how to reach the database behind a Hyperdrive binding. Each connection is one request's own."""
    return Address(
        user=binding.user,
        password=binding.password,
        database=binding.database,
        connect=lambda: _connect(binding),
        derive=_derive,
    )


def _connect(binding: Any) -> JsSocket:
    try:
        return JsSocket(binding.connect())
    except JsException as error:
        raise ConnectionLost(error.message or "") from None


async def _derive(password: bytes, salt: bytes, iterations: int) -> bytes:
    """PBKDF2 with SHA-256. Python has none here, and takes 40 ms for what WebCrypto does in two."""
    key = await js.crypto.subtle.importKey("raw", to_js(password), "PBKDF2", False, to_js(["deriveBits"]))
    options = {"name": "PBKDF2", "hash": "SHA-256", "salt": to_js(salt), "iterations": iterations}
    bits = await js.crypto.subtle.deriveBits(to_js(options, dict_converter=Object.fromEntries), key, 256)
    return bits.to_bytes()
