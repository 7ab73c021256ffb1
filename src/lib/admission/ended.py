"""Which calls have ended lately: so that hardly ever the disk must be asked whether one has.

An opening or a settlement may come a second time, when who brought it was taken for dead. Nearly always that is within
seconds, and then this knows. What it can't know, since it was made later or has let go, it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lib.kernel.ids import milliseconds_of

if TYPE_CHECKING:
    from lib.admission.decision import Reservation

MOST_REMEMBERED = 10_000
# How far the clocks of an isolate, which makes a call's id, and of its gate may differ.
SKEW_MS = 30_000


class Past(NamedTuple):
    """How a call ended: what it had been given, what it was charged, and whether that is final."""

    held: Reservation
    charged: int
    final: bool


_NEVER = (0, None)


class Ended:
    """The calls that have ended since `begin`, the oldest of them let go when there are too many."""

    def __init__(self) -> None:
        self._since: int | None = None
        self._calls: dict[str, tuple[int, Past]] = {}

    def begin(self, now: int) -> None:
        """Note that from now on every end is told. Only the first time counts."""
        if self._since is None:
            self._since = now

    def get(self, name: str) -> Past | None:
        return self._calls.get(name, _NEVER)[1]

    def add(self, name: str, now: int, past: Past) -> None:
        self._calls[name] = (now, past)
        if len(self._calls) > MOST_REMEMBERED:
            oldest = next(iter(self._calls))
            self._since = self._calls.pop(oldest)[0] + 1

    def would_know(self, name: str) -> bool:
        """Tell whether a call of this id, had it ended, would be here: because it began when all ends were noted."""
        began = milliseconds_of(name)
        return began is not None and self._since is not None and began > self._since + SKEW_MS
