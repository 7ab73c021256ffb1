"""What is kept of a stream's text while it is handed on: its end, and of all before that only what is told by it.

An isolate has 128 MB for all its requests, and a stream may have any length: the memory of each is constant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lib.gateway.models import NOTHING_EARLIER, Earlier
from lib.gateway.streams import sse

# What comes last tells the usage and how the stream ends; where a provider tells more behind, it is far less than this.
KEPT_BYTES = 4 * 1024
MOST_BYTES = 4 * KEPT_BYTES  # so much may come until the text before that is let go, in one go


class StreamText:
    """What a relay has heard. `text` is the end of the text, set where the relay is asked for it: all of it where it is
    short; else whole events, and the one under way.

    `condense` adds to what is known what some whole events tell. `held` is told how much more than MOST_BYTES may be
    kept where an event is long.
    """

    def __init__(self, condense: Callable[[Earlier, bytes], Earlier], held: Callable[[int], None]) -> None:
        self._condense = condense
        self._held = held
        self.text = b""
        self.earlier = NOTHING_EARLIER

    def let_go(self, events: bytes, most: int) -> None:
        """Note what some whole events tell, which are kept no longer, and how much may be kept from now on.

        Or the begin of one that nobody will read whole: it has said something.
        """
        if sse.last_boundary(events):
            self.earlier = self._condense(self.earlier, events)
        else:
            self.earlier = replace(self.earlier, said=self.earlier.said + len(events))
        self._held(most - MOST_BYTES)

    def split(self, sent: int) -> tuple[bytes, bytes]:
        """Return what the client has of the event under way, of whose text so much was sent; and what it has not."""
        begin = sse.last_boundary(self.text)
        return self.text[begin:sent], self.text[max(begin, sent) :]
