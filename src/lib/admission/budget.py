"""How a budget counts. Pure arithmetic on nano-dollars and milliseconds since 1970.

A call belongs to the window in which it was admitted, however long it lasts. Its upper bound is reserved there, and
replaced by what it cost. So spent + reserved never passes the budget, and in the end spent is what was used.
"""

from __future__ import annotations

from collections.abc import Mapping

from lib.admission.rate import Sliding
from lib.admission.rules import Budget
from lib.admission.windows import CALENDAR, begin_of, day_of, window_of

WARN_AT = (50, 80, 100)  # percent
_DAYS = 2**22  # more than the days of all years that have four digits


class Account:
    """One budget's counter, of one subject. `kept` are its slots from before a restart: what was spent in which window.

    The slots are the windows' begins; for a rolling budget, its slices. A window of the calendar has a second slot, its
    begin made negative: how long it is in milliseconds, times `_DAYS`, plus the number of the first day behind it.

    So a window outlives a change of the time zone: else whoever has spent a day's amount could move to where it is
    tomorrow already. It keeps its count until it would have ended, or until its last day is over in the new zone too,
    whichever is later. Each day, week or month has its amount once, in whatever zones it is counted.
    """

    def __init__(self, budget: Budget, zone: str, kept: Mapping[int, int]) -> None:
        self.budget = budget
        self._zone = zone
        self._rolling, self._rolling_reserved = _rolling(budget, kept), _rolling(budget, {})
        self._start, self._end, self._until = _running(budget, zone, kept)
        self._spent = kept.get(self._start, 0) if self._rolling is None else 0
        self._reserved: dict[int, int] = {}  # by the window's begin
        self._changed: dict[int, int] = {slot: 0 for slot in kept if abs(slot) != self._start}
        self._span = kept.get(-self._start, 0) if self._end else 0  # as it is kept
        # Whether a call has counted in this window, also one that cost nothing: a restart must not change the answer.
        self._begun = bool(self._span)
        self._told: dict[int, int] = {}  # when each part was told
        self._knows = not kept  # after a restart nobody knows what was told: rather once too little

    def left(self, now: int) -> int:
        """Return what neither is spent nor may be by calls under way: below 0 where the amount has fallen."""
        return self.budget.most_at(now) - self.used(now) - self.reserved(now)

    def used(self, now: int) -> int:
        self._turn(now)
        if self._rolling is None:
            return self._spent
        return self._rolling.used(now) - self.reserved(now)  # what is reserved leaves with its slice too

    def reserved(self, now: int) -> int:
        self._turn(now)
        if self._rolling_reserved is not None:
            return self._rolling_reserved.used(now)
        return self._reserved.get(self._start, 0)

    def window(self, now: int) -> int:
        """Return the begin of the window of a call that is admitted now. A rolling budget has but one."""
        self._turn(now)
        return self._start if self._rolling is None else 0

    def ends(self, now: int) -> int | None:
        """Return when the window of the calendar ends; None for the others."""
        self._turn(now)
        return self._end if self.budget.window in CALENDAR else None

    def reserve(self, now: int, bound: int) -> None:
        """Set the upper bound of a call aside."""
        if self._rolling is not None:
            self._rolling.add(now, bound)
        self.restore(now, self.window(now), bound)

    def restore(self, since: int, window: int, bound: int) -> None:
        """Set a bound aside again after a restart. A rolling budget has it among its slices already."""
        if self._rolling_reserved is not None:
            self._rolling_reserved.add(since, bound)
        else:
            self._reserved[window] = self._reserved.get(window, 0) + bound
            self._begun = self._begun or window == self._start

    def charge(self, now: int, window: int, since: int, bound: int, cost: int) -> None:
        """Replace what was reserved at `since`, in that window, by what was used. `bound` may be 0."""
        self._turn(now)
        if self._rolling is not None and self._rolling_reserved is not None:
            self._rolling.correct(now, since, cost - bound)
            self._rolling_reserved.correct(now, since, -bound)
            return
        self._reserved[window] = self._reserved.get(window, 0) - bound
        if not self._reserved[window]:
            del self._reserved[window]
        if window == self._start:
            self._spent += cost
            self._changed[window] = self._spent

    def changes(self) -> Mapping[int, int]:
        """Return what must be kept: see `lib.admission.rate`."""
        if self._rolling is not None:
            return self._rolling.changes()
        span = (self._end - self._start) * _DAYS + self._until
        if self._begun and self._end and self._span != span:
            self._changed[-self._start] = self._span = span
        changed, self._changed = self._changed, {}
        return changed

    def warning(self, now: int) -> int | None:
        """Return the highest part of the budget, in percent, that has newly been reached, or None. Tells each once."""
        used, most = self.used(now), self.budget.most_at(now)
        reached = [part for part in WARN_AT if used * 100 >= part * most]
        window_ms = _seconds(self.budget) * 1000
        new = [
            part for part in reached if part not in self._told or (window_ms and now - self._told[part] >= window_ms)
        ]
        self._told.update(dict.fromkeys(new, now))
        knew, self._knows = self._knows, True
        return max(new, default=None) if knew else None

    def _turn(self, now: int) -> None:
        """Begin a new window where the old one is over."""
        if self.budget.window not in CALENDAR or (now < self._end and self._start):
            return
        start, end = window_of(self.budget.window, self._zone, now)
        if self._start:
            start = max(start, self._end)  # where the last one ended later than it would have here
        if start > self._start:  # not where the clock has been set back over a restart
            self._changed |= {self._start: 0, -self._start: 0} if self._span else {self._start: 0}
            self._start, self._spent, self._span, self._begun, self._knows = start, 0, 0, False, True
            self._told.clear()
        self._end, self._until = end, day_of(self._zone, end)


def _seconds(budget: Budget) -> int:
    """Return the width of a rolling budget; 0 for the others."""
    return int(budget.window.removeprefix("rolling:")) if budget.window.startswith("rolling:") else 0


def _running(budget: Budget, zone: str, kept: Mapping[int, int]) -> tuple[int, int, int]:
    """Return the begin and end of the window that is kept, and the first day behind it; 0 where that is not known."""
    start = max(map(abs, kept), default=0)
    if -start not in kept or budget.window not in CALENDAR:
        return start, 0, 0
    length, until = divmod(kept[-start], _DAYS)
    return start, max(start + length, begin_of(zone, until)), until


def _rolling(budget: Budget, kept: Mapping[int, int]) -> Sliding | None:
    return Sliding(budget.most, _seconds(budget) * 1000, kept) if _seconds(budget) else None
