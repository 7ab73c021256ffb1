"""What is kept of a stream's text while it is handed on: its end, and of all before that only what is told by it.

An isolate has 128 MB for all its requests, and a stream may have any length: the memory of each is constant.
"""

from __future__ import annotations

from collections.abc import Callable

from lib.gateway import sse
from lib.gateway.models import NOTHING_EARLIER, Earlier

# What comes last tells the usage and how the stream ends; where a provider tells more behind, it is far less than this.
KEPT_BYTES = 32 * 1024
MOST_BYTES = 3 * KEPT_BYTES  # so much may come until the text before that is let go, in one go


class StreamText:
    """Feed it a stream's bytes as they come.

    `condense` adds to what is known what some whole events tell. `held` is told how much a long one may come to hold.
    """

    def __init__(self, condense: Callable[[Earlier, bytes], Earlier], held: Callable[[int], None]) -> None:
        self._condense = condense
        self._held = held
        self._bytes = bytearray()  # a list of pieces would take half as much again, and all of it twice at the end
        self._text: bytes | None = b""
        self._most = MOST_BYTES
        self.earlier = NOTHING_EARLIER

    def add(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._bytes += piece
        self._text = None
        if len(self._bytes) > self._most:
            self._let_go()

    @property
    def text(self) -> bytes:
        """The end of the text: all of it where it is short; else whole events, and the one under way."""
        if self._text is None:
            self._text = bytes(self._bytes)
        return self._text

    @property
    def unfinished(self) -> bytes:
        """The event under way."""
        return self.text[sse.last_boundary(self.text) :]

    def _let_go(self) -> None:
        text = bytes(self._bytes)
        begin = sse.event_at(text, len(text) - KEPT_BYTES)
        if begin:
            self.earlier = self._condense(self.earlier, text[:begin])
        elif len(text) > sse.MOST_EVENT_BYTES:
            begin = len(text) - KEPT_BYTES  # nobody will read this event whole
        del self._bytes[:begin]
        # Where an event is that long, more of it has to come before it is looked at again.
        self._most = max(MOST_BYTES, 2 * len(self._bytes))
        self._held(self._most)
