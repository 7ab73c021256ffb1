"""How a rule counts over time. Pure arithmetic on integers: amounts, and milliseconds since 1970.

Three ways to count, with one interface. Each states its bound, and tests/unit/admission/test_rate.py proves it.

`changes` is what must be kept for a restart: slots (whole numbers that mean something to the way of counting) and the
amount in each; an amount of 0 need not be kept. What is kept says all: a counter that is made anew from it, at whatever
time, counts as the one before did. So it does not matter how long one stays in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

SLICES = 1_000
_NEVER_LEAVES = 2**63


@dataclass(frozen=True, slots=True)
class Before:
    """What a limit was before it was changed, as far as it matters to what was counted then.

    Slices that end `until` then, or before, no longer counted, and never will again, however wide the window is now.
    What was added by the moment `changed` may lie in slices of another width.
    """

    until: int = -1
    changed: int = -1


NEVER = Before()


class Count(Protocol):
    """One counter. Time never runs backwards: the caller sees to that."""

    def wait(self, now: int, amount: int) -> int:
        """Return 0 when so much may be added now, else after how many milliseconds it might; -1 for never."""
        ...

    def add(self, now: int, amount: int) -> None:
        """Add an amount, whether or not there is room."""
        ...

    def correct(self, now: int, since: int, amount: int) -> None:
        """Change what was added at `since` by `amount`, which may be negative."""
        ...

    def used(self, now: int) -> int: ...

    def left(self, now: int) -> int: ...

    def empties(self, now: int) -> int:
        """Return after how many milliseconds nothing counts any more, if nothing is added; 0 where time has no part."""
        ...

    def changes(self) -> Mapping[int, int]:
        """Return the slots that have changed since the last call, with what is in each now."""
        ...

    @property
    def holds(self) -> bool:
        """Tell whether it counts something that is kept elsewhere: calls that are under way."""
        ...

    @property
    def size(self) -> int:
        """Return about how much memory it takes, in slots."""
        ...


class Sliding:
    """A sliding window: in no interval of `window_ms` is more than `most` added, while `wait` is heeded.

    Time is cut into slices of a thousandth of the window (at least a millisecond). What is added counts for at least
    the window, and at most for one slice less a millisecond longer; so whoever adds at most `most` in every interval of
    the window and a slice never waits.

    The slots are the slices' last milliseconds, so that they keep their meaning when the window is changed.
    """

    holds = False

    def __init__(self, most: int, window_ms: int, kept: Mapping[int, int], before: Before = NEVER) -> None:
        self._most = most
        self._window = window_ms
        self._slice = slice_of(window_ms)
        self._before = before
        # Oldest first.
        self._slices = {last: there for last, there in sorted(kept.items()) if there > 0 and last > before.until}
        self._used = sum(self._slices.values())
        self._leaves = self._first_leaves()
        self._changed: dict[int, int] = {}

    def wait(self, now: int, amount: int) -> int:
        excess = self.used(now) + amount - self._most
        if excess <= 0:
            return 0
        for last, there in self._slices.items():
            excess -= there
            if excess <= 0:
                return last + self._window - now
        return -1

    def add(self, now: int, amount: int) -> None:
        self.add_until(now, now, amount)

    def add_until(self, now: int, until: int, amount: int) -> None:
        """Add what may be used at any moment before `until`: it counts from now until a window after that."""
        if now >= self._leaves:
            self._drop(now)
        last = max(self._last(until), self._before.until + 1)
        if self._slices and last < next(reversed(self._slices)):  # kept from a window of wider slices
            last = next(reversed(self._slices))
        if amount:
            self._set(last, self._slices.get(last, 0) + amount)

    def correct(self, now: int, since: int, amount: int) -> None:
        """What is more than was added before counts from now on. What is less is taken from where it stands.

        Where that slice holds no longer so much, the rest is taken from those after it, which leave later. When it has
        left already, there is nothing to give back: the others' slices are not ours.
        """
        if now >= self._leaves:
            self._drop(now)
        if amount > 0:
            self.add(now, amount)
        # Where its slice may be of another width, it may have left a little earlier.
        leaves = (since if since <= self._before.changed else self._last(since)) + self._window
        if amount > 0 or leaves <= now:
            return
        for last in [last for last in self._slices if last >= since]:
            part = min(-amount, self._slices[last])
            self._set(last, self._slices[last] - part)
            amount += part

    def used(self, now: int) -> int:
        if now >= self._leaves:
            self._drop(now)
        return self._used

    def left(self, now: int) -> int:
        return max(0, self._most - self.used(now))

    def empties(self, now: int) -> int:
        return next(reversed(self._slices)) + self._window - now if self.used(now) else 0

    def changes(self) -> Mapping[int, int]:
        changed, self._changed = self._changed, {}
        return changed

    @property
    def size(self) -> int:
        return 1 + len(self._slices)

    def _last(self, moment: int) -> int:
        return (moment // self._slice + 1) * self._slice - 1

    def _drop(self, now: int) -> None:
        """Let go what has counted for the window, however late in its slice it came."""
        while self._leaves <= now:
            self._set(next(iter(self._slices)), 0)

    def _first_leaves(self) -> int:
        return next(iter(self._slices)) + self._window if self._slices else _NEVER_LEAVES

    def _set(self, last: int, amount: int) -> None:
        self._used += amount - self._slices.get(last, 0)
        self._changed[last] = amount
        if amount:
            self._slices[last] = amount
        else:
            self._slices.pop(last, None)
        self._leaves = self._first_leaves()


class Gcra:
    """The generic cell rate algorithm (ITU-T I.371): in no interval of t ms is more than `burst + most * t / window_ms`
    added, while `wait` is heeded; whoever keeps to that never waits.

    The theoretical arrival time is counted in `most`-ths of a millisecond, so all is whole. The slots are 0 for its
    milliseconds and 1 for the rest: so they keep their meaning when the limit is changed, and stay small.
    """

    holds = False
    size = 1

    def __init__(self, most: int, window_ms: int, burst: int, kept: Mapping[int, int]) -> None:
        self._most = most
        self._window = window_ms
        self._burst = burst
        self._arrival = kept.get(0, 0) * most + min(kept.get(1, 0), most - 1)
        self._kept = self._arrival

    def wait(self, now: int, amount: int) -> int:
        if amount > self._burst:
            return -1
        excess = self._behind(now) + amount * self._window - self._burst * self._window
        return max(0, -(-excess // self._most))

    def add(self, now: int, amount: int) -> None:
        self._arrival = now * self._most + self._behind(now) + amount * self._window

    def correct(self, now: int, since: int, amount: int) -> None:
        """What has leaked out meanwhile is not given back: it might be lent a second time."""
        if amount >= 0:
            self.add(now, amount)
            return
        given_back = max(0, -amount * self._window - (now - since) * self._most)
        self._arrival = now * self._most + max(0, self._behind(now) - given_back)

    def used(self, now: int) -> int:
        return -(-self._behind(now) // self._window)

    def left(self, now: int) -> int:
        return max(0, self._burst - self.used(now))

    def empties(self, now: int) -> int:
        return -(-self._behind(now) // self._most)

    def changes(self) -> Mapping[int, int]:
        if self._kept == self._arrival:
            return {}
        self._kept = self._arrival
        return dict(enumerate(divmod(self._arrival, self._most)))

    def _behind(self, now: int) -> int:
        return max(0, self._arrival - now * self._most)


class AtOnce:
    """How many are under way. What is kept elsewhere: the calls themselves."""

    size = 1

    def __init__(self, most: int) -> None:
        self._most = most
        self._used = 0

    def wait(self, now: int, amount: int) -> int:  # noqa: ARG002 - as of now, whenever that is
        return 0 if self._used + amount <= self._most else -1

    def add(self, now: int, amount: int) -> None:  # noqa: ARG002
        self._used += amount

    def correct(self, now: int, since: int, amount: int) -> None:  # noqa: ARG002
        self._used += amount

    def used(self, now: int) -> int:  # noqa: ARG002
        return self._used

    def left(self, now: int) -> int:  # noqa: ARG002
        return max(0, self._most - self._used)

    def empties(self, now: int) -> int:  # noqa: ARG002
        return 0

    def changes(self) -> Mapping[int, int]:
        return {}

    @property
    def holds(self) -> bool:
        return self._used != 0


def slice_of(window_ms: int) -> int:
    """Return the width of the slices of a window."""
    return -(-window_ms // SLICES)
