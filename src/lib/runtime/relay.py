"""Two ways to hand a provider's stream on while learning what it says; `docs/streaming.md` tells how each was measured.

Both answer with the readable side of an `IdentityTransformStream` and learn of the client's leaving by the request's
signal. Neither ever ends a broken stream cleanly: the last bytes are the caller's `ending`. And neither holds more of a
stream than `StreamText` keeps, however long it is.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import js
from js import Object
from pyodide.ffi import JsException, create_proxy, to_js

from lib.gateway.upstream import Ending, StreamEnd, StreamFilter
from lib.runtime.request import byte_reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from lib.gateway.stream_text import StreamText
    from lib.runtime.upstream import Lifeline

READ_BYTES = 64 * 1024
# What is read at first, and as long as less than this comes at once: each open stream has such a buffer waiting.
SMALL_READ_BYTES = 16 * 1024
LAST_BYTES_MS = 5_000
# How long a native stream's other branch fills up before it is emptied. Most are over by then, and cost nothing.
FILLING_SECONDS = 2.0
SHORTEST_FILLING_SECONDS = 0.02
WANTED_BYTES = 256 * 1024  # in one branch, about: a fast provider's is emptied more often


class NativeStream:
    """A stream that the platform reads by itself."""

    def __init__(self, native: Any) -> None:
        self.native = native


class NativeRelay:
    """No byte passes through Python: constant work a stream.

    The stream is forked. One branch is piped to the client by the platform; the other fills up unread and is read in a
    few large pieces once the first has ended, and in a long stream every other second: a read that would have to wait
    for more bytes than one could hold the first branch back, so none ever does.
    """

    def __init__(self, stream: Any, lifeline: Lifeline, heard: StreamText, ending: Ending) -> None:
        piped, kept = stream.tee()
        self._branch = _Branch(kept, heard)
        self._heard = heard
        pipe = js.IdentityTransformStream.new()
        self._writable = pipe.writable
        self._lifeline = lifeline
        self._ending = ending
        self.body = NativeStream(pipe.readable)
        # The sink stays open at the source's end and error: what comes last is decided when the text is known.
        options = {"preventClose": True, "preventAbort": True, "signal": lifeline.client.signal}
        self._piping = piped.pipeTo(pipe.writable, to_js(options, dict_converter=Object.fromEntries))

    async def finished(self, cut: Callable[[StreamEnd], object]) -> None:  # noqa: ARG002 - nothing is known before
        try:
            self._branch.fill()
            await self._piping
            end = StreamEnd.PROVIDER_DONE
        except JsException:
            end = why(self._lifeline)
            self._lifeline.cut()  # whatever broke, nobody reads the rest
        await self._branch.read_all()
        last = self._ending(end, self._heard.unfinished)
        await close(self._writable.getWriter(), last, self._lifeline)


class _Branch:
    """The branch of a native stream that nobody waits for."""

    def __init__(self, stream: Any, heard: StreamText) -> None:
        self._stream = stream
        self._reader: Any = None
        self._heard = heard
        self._seconds = FILLING_SECONDS
        self._timer: asyncio.Handle | None = None
        self._emptying: asyncio.Task[None] | None = None

    def fill(self) -> None:
        """Let it fill up for a while, and then be emptied."""
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._begin)

    async def read_all(self) -> None:
        """Read it to its end, or as far as it goes: a broken one gives what it had."""
        if self._timer is not None:
            self._timer.cancel()
        if self._emptying is not None:
            await self._emptying
        if self._timer is not None:
            self._timer.cancel()  # the emptying has begun another
        while await self._read() > 0:
            pass

    def _begin(self) -> None:
        self._emptying = asyncio.ensure_future(self._empty())

    async def _empty(self) -> None:
        size = await self._read()
        read = size
        while read >= READ_BYTES:
            read = await self._read()
            size += max(0, read)
        if read > 0:
            self._seconds = min(FILLING_SECONDS, max(SHORTEST_FILLING_SECONDS, self._seconds * WANTED_BYTES / size))
            self.fill()

    async def _read(self) -> int:
        """Read what is there, at least a byte; return how much that was, 0 at the end."""
        if self._reader is None:
            self._reader = byte_reader(self._stream)
        try:
            read = await self._reader.read(js.Uint8Array.new(READ_BYTES))
        except JsException:  # why it broke is known already; the text until then is what counts
            return 0
        if read.done:
            return 0
        piece: bytes = read.value.to_bytes()
        self._heard.add(piece)
        return len(piece)


class FilteredRelay:
    """Each read passes through a filter: for a stream whose bytes must be changed. Work a read, not an event."""

    def __init__(
        self, stream: Any, lifeline: Lifeline, heard: StreamText, ending: Ending, stream_filter: StreamFilter
    ) -> None:
        pipe = js.IdentityTransformStream.new()
        self._reader = byte_reader(stream)
        self._writer = pipe.writable.getWriter()
        self._lifeline = lifeline
        self._ending = ending
        self._filter = stream_filter
        self._heard = heard
        self._next_bytes = SMALL_READ_BYTES
        self.body = NativeStream(pipe.readable)
        self._reading = self._read()  # the first read is under way before the answer is

    async def finished(self, cut: Callable[[StreamEnd], object]) -> None:
        try:
            await self._pump(cut)
            end = StreamEnd.PROVIDER_DONE
        except JsException:
            end = why(self._lifeline)
            self._lifeline.cut()
        last = self._ending(end, self._filter.unfinished)
        if not last and end is not StreamEnd.CLIENT_GONE:
            last = self._filter.end()
        await close(self._writer, last, self._lifeline)

    async def _pump(self, cut: Callable[[StreamEnd], object]) -> None:
        # Called by the platform's event itself: nothing that is awaited is sure to come then.
        told = create_proxy(lambda _event: cut(why(self._lifeline)))
        self._lifeline.signal.addEventListener("abort", told)
        try:
            await self._hand_on()
        finally:
            self._lifeline.signal.removeEventListener("abort", told)
            told.destroy()

    async def _hand_on(self) -> None:
        # A write to a client that has left never settles, and one that leaves while the answer is handed over is not
        # always told. So writing races all that ends a call: the departure, and at the latest its deadline.
        over = self._lifeline.over()
        while not (read := await self._reading).done:
            chunk = read.value.to_bytes()
            self._heard.add(chunk)
            self._next_bytes = READ_BYTES if len(chunk) >= SMALL_READ_BYTES else SMALL_READ_BYTES
            out = self._filter.feed(chunk)
            if out:
                writing = self._writer.write(read.value if out is chunk else to_js(out))
                await js.Promise.race(to_js([writing, over]))
            self._reading = self._read()

    def _read(self) -> Any:
        return self._reader.read(js.Uint8Array.new(self._next_bytes))


def why(lifeline: Lifeline) -> StreamEnd:
    """Return why a stream broke."""
    if lifeline.client.gone:
        return StreamEnd.CLIENT_GONE
    return StreamEnd.TIMEOUT if lifeline.timed_out else StreamEnd.PROVIDER_BROKE_OFF


async def close(writer: Any, last: bytes, lifeline: Lifeline) -> None:
    """Write the last bytes and end the stream. A client that takes long to read them is not waited for."""
    if lifeline.client.gone:
        return
    steps = [writer.write(to_js(last))] if last else []
    steps.append(writer.close())
    with suppress(JsException):  # the client left at the very end
        waited = js.scheduler.wait(LAST_BYTES_MS)
        await js.Promise.race(to_js([js.Promise.all(to_js(steps)), lifeline.client.departure(), waited]))
