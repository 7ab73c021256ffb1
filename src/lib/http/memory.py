"""How much an isolate holds of its requests' bodies, answers and streams, and who is let in.

An isolate has 128 MB for all its requests together, JavaScript's part and Python's, and one that passes them ends with
all that it does (https://developers.cloudflare.com/workers/platform/limits/#memory). So a body is refused before it is
read where there is no room for it; what has been let in is never refused later.

A body that is still coming holds room for as long as its client likes to send it. So those of callers who are not known
yet hold little together, and those of one organisation half of all: the other half is left to others.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from lib.kernel.errors import Unavailable

# Python's memory is 52 MiB at its start and never shrinks. Two bodies of the largest size that a route takes (8 MiB),
# counted twice each, and some streams: 96 MiB are reached by no more, as bench/memory.py measures. The rest is
# JavaScript's own, and for what is not counted.
BUDGET_BYTES = 36 * 1024 * 1024
# A platform that tears a request down may never tell. A share that nobody has changed for longer than any call may last
# is nobody's.
LOST_SECONDS = 3900.0
STRANGERS_BYTES = 4 * 1024 * 1024  # of all bodies whose callers are not known yet
STRANGERS = ""  # whose those are
# Of an open stream, as bench/streams.py measures: 8 KiB of Python's and 8 of JavaScript's for its request, a
# buffer that waits, the end of its text.
STREAM_BYTES = 36 * 1024
_RETRY_SECONDS = 1
# A character beyond U+FFFF, as it is or escaped: it takes four bytes in Python, and so does each beside it.
_ASTRAL = re.compile(rb"[\xf0-\xf4]|\\u[dD][89abAB]")
# A long string of ASCII alone, as an image in base64 is. Its first quote is none that a text has escaped.
_PLAIN = re.compile(rb'"(?<!\\")[ !#-\[\]-~]{4096,}"')


class Memory:
    """What one isolate holds."""

    def __init__(self, most: int = BUDGET_BYTES, now: Callable[[], float] = time.time) -> None:
        self._most = most
        self._now = now
        # How much, since when, and whose body it is, while that is still coming; by the share's number.
        self._held: dict[int, tuple[int, float, str | None]] = {}
        self._coming: dict[str, int] = {}  # by organisation
        self._sum = 0
        self._last = 0

    @property
    def held(self) -> int:
        """Return how many bytes are held."""
        return self._sum

    def share(self) -> Share:
        """Return the share of one more request. It holds nothing yet."""
        self._last += 1
        return Share(self, self._last)

    def coming(self, whose: str, but: int) -> int:
        """Return how many bytes are held for bodies that are still coming, beside a share's own."""
        size, _, own = self._held.get(but, _NOTHING)
        return self._coming.get(whose, 0) - (size if own == whose else 0)

    def has_room(self, number: int, size: int, coming: str | None = None) -> bool:
        """Tell whether a share may hold so much, for a body that is still `coming` from an organisation, or for
        anything else. One that would be the only one may always.
        """
        if self._fits(number, size, coming):
            return True
        oldest = self._now() - LOST_SECONDS
        held = list(self._held.items())  # a share that the collector finds meanwhile is let go of
        for lost in [other for other, (_, since, _) in held if since < oldest]:
            self.set(lost, 0)
        return self._fits(number, size, coming)

    def _fits(self, number: int, size: int, coming: str | None) -> bool:
        others = self._sum - self._held.get(number, _NOTHING)[0]
        if not others:
            return True
        if others + size > self._most:
            return False
        others = self.coming(coming, number) if coming else 0
        return not others or others + size <= self._most // 2

    def drop(self, number: int) -> None:
        """Note that a share holds nothing any more."""
        if number in self._held:
            self.set(number, 0)

    def set(self, number: int, size: int, coming: str | None = None) -> None:
        """Note how much a share holds from now on."""
        before, _, whose = self._held.pop(number, _NOTHING)
        self._sum += size - before
        if whose is not None:
            self._coming[whose] -= before
            if not self._coming[whose]:
                del self._coming[whose]
        if size:
            self._held[number] = (size, self._now(), coming)
            if coming is not None:
                self._coming[coming] = self._coming.get(coming, 0) + size


_NOTHING = (0, 0.0, None)


class Share:
    """What one request holds. Let go of on every way out: by its owner, at the latest when nobody knows it any more."""

    __slots__ = ("_memory", "_number")

    def __init__(self, memory: Memory, number: int) -> None:
        self._memory = memory
        self._number = number

    def claim(self, size: int, coming: str | None = None) -> None:
        """Hold so much, instead of what it was; see `Memory.has_room`. Raises Unavailable where there is no room."""
        if not self._memory.has_room(self._number, size, coming):
            message = "Too much is under way here at the moment. Try again."
            raise Unavailable(message, code="overloaded", retry_after_seconds=_RETRY_SECONDS)
        self._memory.set(self._number, size, coming)

    def keep(self, size: int, coming: str | None = None) -> None:
        """Hold so much, instead of what it was, room or not: it is there already."""
        self._memory.set(self._number, size, coming)

    def has_room(self, size: int) -> bool:
        """Tell whether it may hold so much."""
        return self._memory.has_room(self._number, size)

    def strangers(self) -> int:
        """Return how many bytes are held for others' bodies whose callers are not known yet."""
        return self._memory.coming(STRANGERS, self._number)

    def release(self, *_: object) -> None:
        """Hold nothing any more."""
        self._memory.drop(self._number)

    __del__ = release


def size_of_parsed(body: bytes) -> int:
    """Return the most that a JSON text's strings take in Python: a character outside of ASCII widens its string."""
    if b"\\u" not in body and body.isascii():
        return len(body)
    plain = sum(found.end() - found.start() for found in _PLAIN.finditer(body))
    return plain + (len(body) - plain) * (4 if _ASTRAL.search(body) else 2)
