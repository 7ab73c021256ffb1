"""A whole answer that is too large to hold, on its way to the client: a few pieces are in memory at any time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import js
from pyodide.ffi import JsException, create_proxy, to_js

from lib.gateway.streams.upstream import Ends, StreamEnd, StreamFilter
from lib.runtime.relay import ENDS, NativeStream
from lib.runtime.request import byte_reader

PIECE_BYTES = 256 * 1024
FIRST_BYTES = 64 * 1024  # nearly all answers are shorter, so that one read has them whole
END_BYTES = 64 * 1024
COPIES = 3  # of a whole answer: in pieces, as Python reads it, and as it is sent


async def begin(stream: Any, hold: int, held: Callable[[int], None]) -> tuple[list[Any], Any]:
    """Read a body of unknown length until it ends, or until more has come than is held.

    Returns the pieces, and the reader where there are more. `held` is told what it comes to take, if that is much.
    """
    reader = byte_reader(stream)
    pieces: list[Any] = []
    size = 0
    while size <= hold:
        if pieces:
            held(COPIES * (size + PIECE_BYTES))
        piece, ended = await _read(reader, PIECE_BYTES if pieces else FIRST_BYTES)
        size += piece.byteLength
        pieces.append(piece)
        if ended:
            return pieces, None
    return pieces, reader


async def _read(reader: Any, size: int) -> tuple[Any, bool]:
    """Return the next piece, and whether the body ends with it: only then is it shorter than what was asked for."""
    read = await reader.readAtLeast(size, js.Uint8Array.new(size))
    return read.value, bool(read.done) or read.value.byteLength < size


class JsPassage:
    """Implements `lib.gateway.streams.upstream.Passage`. `pieces` were read before, and have to be sent first."""

    def __init__(self, pieces: list[Any], reader: Any, call: Any, stream_filter: StreamFilter | None) -> None:
        pipe = js.IdentityTransformStream.new()
        self._pieces = pieces
        self._reader = reader
        call.writer = self._writer = pipe.writable.getWriter()
        self._call = call
        self._filter = stream_filter
        self._head, self._tail, self._size = b"", b"", 0
        self.body = NativeStream(pipe.readable)

    async def finished(self, cut: Callable[[Ends], None]) -> None:
        reason: Any = None
        call = self._call
        told = create_proxy(lambda _event: cut(self._ends(ENDS[call.why])))
        call.signal.addEventListener("abort", told)
        try:
            await self._hand_on()
            end = StreamEnd.PROVIDER_DONE
        except JsException as broken:
            end, reason = ENDS[call.why], broken
        finally:
            call.signal.removeEventListener("abort", told)
            told.destroy()
        cut(self._ends(end))  # before the client has the end
        if end is StreamEnd.PROVIDER_DONE:
            last = self._filter.end() if self._filter else b""
            await call.close(to_js(last) if last else None)
            return
        call.cut()
        if end is not StreamEnd.CLIENT_GONE:
            with suppress(JsException):  # the client must see that something is missing
                await self._writer.abort(reason)

    def _ends(self, end: StreamEnd) -> Ends:
        return Ends(end, self._head, self._tail, self._size)

    async def _hand_on(self) -> None:
        signal, over = self._call.signal, js.Promise.withResolvers()
        # It resolves: Python waits for ever for what rejects with an event, which is no error.
        signal.addEventListener("abort", over.resolve)
        signal.throwIfAborted()
        for piece in self._pieces:
            await self._send(piece, over.promise)
        self._pieces = []
        ended = False
        while not ended:
            piece, ended = await _read(self._reader, PIECE_BYTES)
            await self._send(piece, over.promise)

    async def _send(self, piece: Any, over: Any) -> None:
        text = bytes(piece.to_bytes())
        self._size += len(text)
        self._head += text[: END_BYTES - len(self._head)]
        self._tail = (self._tail + text)[-END_BYTES:]
        out = self._filter.feed(text) if self._filter else text
        if out:
            writing = self._writer.write(piece if out is text else to_js(out))
            await js.Promise.race(to_js([writing, over]))
            self._call.signal.throwIfAborted()
