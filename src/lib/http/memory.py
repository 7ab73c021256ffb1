"""How much an isolate holds of its requests' bodies, answers and streams, and who is let in.

An isolate has 128 MB for all its requests together, JavaScript's part and Python's, and one that passes them ends with
all that it does (https://developers.cloudflare.com/workers/platform/limits/#memory). So a body is refused before it is
read where there is no room for it; what has been let in is never refused later.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from lib.http.errors import Unavailable

# Python's memory is 52 MiB at its start and never shrinks. Two bodies of the largest size that a route takes (8 MiB),
# counted twice each, and some streams: 96 MiB are reached by no more, as bench/memory.py measures. The rest is
# JavaScript's own, and for what is not counted.
BUDGET_BYTES = 36 * 1024 * 1024
# A platform that tears a request down may never tell. A share that nobody has changed for longer than any call may last
# is nobody's.
LOST_SECONDS = 3900.0
STREAM_BYTES = 64 * 1024  # of an open stream: its request, a buffer, the end of its text
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
        self._held: dict[int, tuple[int, float]] = {}  # how much, and since when, by the share's number
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

    def has_room(self, number: int, size: int) -> bool:
        """Tell whether a share may hold so much. One that would be the only one may always."""
        others = self._sum - self._held.get(number, (0, 0.0))[0]
        if others + size <= self._most or not others:
            return True
        oldest = self._now() - LOST_SECONDS
        for lost in [other for other, (_, since) in self._held.items() if since < oldest]:
            self.set(lost, 0)
        others = self._sum - self._held.get(number, (0, 0.0))[0]
        return others + size <= self._most or not others

    def set(self, number: int, size: int) -> None:
        """Note how much a share holds from now on."""
        before = self._held.pop(number, (0, 0.0))[0]
        self._sum += size - before
        if size:
            self._held[number] = (size, self._now())


class Share:
    """What one request holds. Let go of on every way out: by its owner, at the latest when nobody knows it any more."""

    __slots__ = ("_memory", "_number")

    def __init__(self, memory: Memory, number: int) -> None:
        self._memory = memory
        self._number = number

    def claim(self, size: int) -> None:
        """Hold so much, instead of what it was. Raises Unavailable where the isolate has no room for it."""
        if not self.has_room(size):
            message = "Too much is under way here at the moment. Try again."
            raise Unavailable(message, code="overloaded", retry_after_seconds=_RETRY_SECONDS)
        self._memory.set(self._number, size)

    def keep(self, size: int) -> None:
        """Hold so much, instead of what it was, room or not: it is there already."""
        self._memory.set(self._number, size)

    def has_room(self, size: int) -> bool:
        """Tell whether it may hold so much."""
        return self._memory.has_room(self._number, size)

    def release(self, *_: object) -> None:
        """Hold nothing any more."""
        self._memory.set(self._number, 0)

    def __del__(self) -> None:
        self.release()


def size_of_parsed(body: bytes) -> int:
    """Return the most that a JSON text's strings take in Python: a character outside of ASCII widens its string."""
    if b"\\u" not in body and body.isascii():
        return len(body)
    plain = sum(found.end() - found.start() for found in _PLAIN.finditer(body))
    return plain + (len(body) - plain) * (4 if _ASTRAL.search(body) else 2)
