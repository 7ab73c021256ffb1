"""Two ways to hand a provider's stream on while learning what it says; `docs/streaming.md` tells how each was measured.

Both answer with the readable side of an `IdentityTransformStream` and learn of the client's leaving by the request's
signal. Neither ever ends a broken stream cleanly: the last bytes are the caller's `ending`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import js
from js import Object
from pyodide.ffi import JsException, create_proxy, to_js

from lib.gateway import sse
from lib.gateway.upstream import Ending, StreamEnd, StreamFilter, StreamReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from lib.runtime.upstream import Lifeline

READ_BYTES = 64 * 1024
LAST_BYTES_MS = 5_000


class NativeStream:
    """A stream that the platform reads by itself."""

    def __init__(self, native: Any) -> None:
        self.native = native


class NativeRelay:
    """No byte passes through Python: constant work a stream.

    The stream is forked. One branch is piped to the client by the platform; the other fills up unread and is read in a
    few large pieces once the first has ended.
    """

    def __init__(self, stream: Any, lifeline: Lifeline, ending: Ending) -> None:
        piped, self._kept = stream.tee()
        pipe = js.IdentityTransformStream.new()
        self._writable = pipe.writable
        self._lifeline = lifeline
        self._ending = ending
        self.body = NativeStream(pipe.readable)
        # The sink stays open at the source's end and error: what comes last is decided when the text is known.
        options = {"preventClose": True, "preventAbort": True, "signal": lifeline.client.signal}
        self._piping = piped.pipeTo(pipe.writable, to_js(options, dict_converter=Object.fromEntries))

    async def finished(self, cut: Callable[[StreamReport], object]) -> StreamReport:  # noqa: ARG002 - nothing is known yet
        try:
            await self._piping
            end = StreamEnd.PROVIDER_DONE
        except JsException:
            end = why(self._lifeline)
            self._lifeline.cut()  # whatever broke, nobody reads the rest
        text = await _read_all(self._kept)
        last = self._ending(end, text, text[sse.last_boundary(text) :])
        await close(self._writable.getWriter(), last, self._lifeline)
        return StreamReport(end, text)


class FilteredRelay:
    """Each read passes through a filter: for a stream whose bytes must be changed. Work a read, not an event."""

    def __init__(self, stream: Any, lifeline: Lifeline, ending: Ending, stream_filter: StreamFilter) -> None:
        pipe = js.IdentityTransformStream.new()
        self._reader = byte_reader(stream)
        self._writer = pipe.writable.getWriter()
        self._lifeline = lifeline
        self._ending = ending
        self._filter = stream_filter
        self._text: list[bytes] = []
        self.body = NativeStream(pipe.readable)
        self._reading = self._read()  # the first read is under way before the answer is

    async def finished(self, cut: Callable[[StreamReport], object]) -> StreamReport:
        try:
            await self._pump(cut)
            end = StreamEnd.PROVIDER_DONE
        except JsException:
            end = why(self._lifeline)
            self._lifeline.cut()
        text = b"".join(self._text)
        last = self._ending(end, text, self._filter.unfinished)
        if not last and end is not StreamEnd.CLIENT_GONE:
            last = self._filter.end()
        await close(self._writer, last, self._lifeline)
        return StreamReport(end, text)

    async def _pump(self, cut: Callable[[StreamReport], object]) -> None:
        # Called by the platform's event itself: nothing that is awaited is sure to come then.
        told = create_proxy(lambda _event: cut(StreamReport(why(self._lifeline), b"".join(self._text))))
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
            self._text.append(chunk)
            out = self._filter.feed(chunk)
            if out:
                writing = self._writer.write(read.value if out is chunk else to_js(out))
                await js.Promise.race(to_js([writing, over]))
            self._reading = self._read()

    def _read(self) -> Any:
        return self._reader.read(js.Uint8Array.new(READ_BYTES))


def why(lifeline: Lifeline) -> StreamEnd:
    """Return why a stream broke."""
    if lifeline.client.gone:
        return StreamEnd.CLIENT_GONE
    return StreamEnd.TIMEOUT if lifeline.timed_out else StreamEnd.PROVIDER_BROKE_OFF


def byte_reader(stream: Any) -> Any:
    """Return a reader that fills the buffers it is given."""
    return stream.getReader(to_js({"mode": "byob"}, dict_converter=Object.fromEntries))


async def _read_all(stream: Any) -> bytes:
    """Read a stream to its end, or as far as it goes: a broken one gives what it had."""
    reader = byte_reader(stream)
    pieces: list[bytes] = []
    with suppress(JsException):  # why it broke is known already; the text until then is what counts
        while not (read := await reader.read(js.Uint8Array.new(READ_BYTES))).done:
            pieces.append(read.value.to_bytes())
    return b"".join(pieces)


async def close(writer: Any, last: bytes, lifeline: Lifeline) -> None:
    """Write the last bytes and end the stream. A client that takes long to read them is not waited for."""
    if lifeline.client.gone:
        return
    steps = [writer.write(to_js(last))] if last else []
    steps.append(writer.close())
    with suppress(JsException):  # the client left at the very end
        waited = js.scheduler.wait(LAST_BYTES_MS)
        await js.Promise.race(to_js([js.Promise.all(to_js(steps)), lifeline.client.departure(), waited]))
