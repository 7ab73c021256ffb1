"""A provider's stream on its way to the client: plane.mjs moves the bytes, and asks here what only Python knows.

A stream that broke never ends cleanly: the last bytes are the caller's `ending`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyodide.ffi import create_proxy, to_js

from lib.gateway.streams.hiding import HidingFilter
from lib.gateway.streams.stream_text import KEPT_BYTES, MOST_BYTES
from lib.gateway.streams.upstream import Ending, Sieve, StreamEnd

if TYPE_CHECKING:
    from lib.gateway.streams.stream_text import StreamText

# As plane.mjs counts them.
ENDS = (StreamEnd.PROVIDER_DONE, StreamEnd.PROVIDER_BROKE_OFF, StreamEnd.TIMEOUT, StreamEnd.CLIENT_GONE)
_LET_GO, _OVER, _LOOK, _SIFT = range(4)


class NativeStream:
    """A stream that the platform reads by itself."""

    def __init__(self, native: Any) -> None:
        self.native = native


class JsRelay:
    """Implements `lib.gateway.streams.upstream.Relay` on a call of plane.mjs."""

    def __init__(
        self, call: Any, heard: StreamText, ending: Ending, sieve: Sieve | None, hiding: HidingFilter | None
    ) -> None:
        self._call = call
        self._heard = heard
        self._ending = ending
        self._sieve = sieve
        self._hiding = hiding
        self._cut: Callable[[StreamEnd], object] | None = None
        self._tell = create_proxy(self._told)
        marks, guard = sieve.marks if sieve else "", hiding.guard if hiding else ""
        self.body = NativeStream(call.relay(marks, guard, KEPT_BYTES, MOST_BYTES, self._tell))

    async def finished(self, cut: Callable[[StreamEnd], object]) -> None:
        self._cut = cut
        call = self._call
        try:
            end = ENDS[await call.finished]
        finally:
            self._tell.destroy()
        passing = call.passing
        self._heard.text = passing.text.to_bytes()
        last = self._ending(end, *self._heard.split(passing.sent))
        if end is not StreamEnd.CLIENT_GONE:
            await call.close(to_js(last) if last else None)

    def _told(self, what: int, told: Any, number: int) -> Any:
        """Answer plane.mjs: called by the platform, in the middle of the stream."""
        if what == _SIFT and self._sieve:
            rest = self._sieve.rest_of(told.to_bytes(), number)
            return to_js(rest) if rest is not None else self._sieve.running
        if what == _LOOK and self._hiding:
            looked = self._hiding.feed(told.to_bytes())
            self._call.held = self._hiding.holds
            return to_js(looked)
        if what == _LET_GO:
            self._heard.let_go(told.to_bytes(), number)
        elif what == _OVER and self._cut:
            self._heard.text = self._call.passing.text.to_bytes()
            self._cut(ENDS[number])
        return None
