"""Bodies that Python writes: the port `lib.http.streaming` on an `IdentityTransformStream`.

Nothing is buffered: a write settles when the client has taken it, so a slow client slows us and fills no memory. A
write to a client that has left never settles, nor is a listener of the request's signal told while one waits. So who
waits looks at the signal again and again: that was seen to work.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import js
from pyodide.ffi import JsException, to_js

from lib.http.request import Departure
from lib.http.streaming import ReaderLost
from lib.runtime.relay import NativeStream
from lib.runtime.request import JsDeparture

PIECE_BYTES = 64 * 1024
# How long a client may take to read one piece: slower than 1 kB/s is taken for gone, so that nothing is held for ever.
STALLED_SECONDS = 60
LOOK_SECONDS = 0.5
BREAKING_OFF_SECONDS = 5


class JsStreamedBody:
    """Implements `lib.http.streaming.StreamedBody`."""

    def __init__(self, client: JsDeparture) -> None:
        pipe = js.IdentityTransformStream.new()
        self._writer = pipe.writable.getWriter()
        self._client = client
        self.body = NativeStream(pipe.readable)

    async def write(self, piece: bytes) -> None:
        for at in range(0, len(piece), PIECE_BYTES):
            await self._taken(self._writer.write(to_js(piece[at : at + PIECE_BYTES])))

    async def end(self) -> None:
        await self._taken(self._writer.close())

    async def break_off(self) -> None:
        with suppress(JsException, TimeoutError):
            await asyncio.wait_for(self._writer.abort("the rest is missing"), BREAKING_OFF_SECONDS)

    async def _taken(self, writing: Any) -> None:
        """Return when the client has taken what is written. Raises ReaderLost."""
        task = asyncio.ensure_future(writing)
        for _ in range(int(STALLED_SECONDS / LOOK_SECONDS)):
            await asyncio.wait([task], timeout=LOOK_SECONDS)
            if task.done():
                break
            if self._client.gone:
                task.cancel()
                raise ReaderLost
        else:
            task.cancel()
            raise ReaderLost
        try:
            task.result()
        except JsException:
            raise ReaderLost from None


class JsStreams:
    """Implements `lib.http.streaming.Streams`."""

    def open(self, client: Departure) -> JsStreamedBody:
        if not isinstance(client, JsDeparture):
            raise TypeError("the client must come from lib.runtime.request")
        return JsStreamedBody(client)
