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
_MARGIN_MS = 2 * 24 * 3_600_000  # a day begins everywhere within 26 hours
_DAYS = 2**22  # more than the days of all years that have four digits
_NEVER = 2**63


class BudgetCounter:
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
        # From then on the window is another one.
        self._due = _NEVER if budget.window not in CALENDAR else self._end if self._start else 0
        self._spent = kept.get(self._start, 0) if self._rolling is None else 0
        self._reserved: dict[int, int] = {}  # by the window's begin
        stale = kept if self._rolling is None else ()
        self._changed: dict[int, int] = {slot: 0 for slot in stale if abs(slot) != self._start}
        # Whether a call has counted in this window, also one that cost nothing: a restart must not change the answer.
        self._begun = bool(self._end and kept.get(-self._start))
        # The last window in which a call has counted, and what was spent there. It is kept until the next one begins:
        # a change of the time zone may have it go on.
        self._over: int | None = None
        self._over_spent = 0
        self._told: dict[int, int] | None = None  # when each part was told; None: nothing has been charged yet

    def left(self, now: int) -> int:
        """Return what neither is spent nor may be by calls under way: below 0 where the amount has fallen."""
        if now >= self._due:
            self._turn(now)
        if self._rolling is not None:  # what is reserved is among its slices
            return self.budget.most_at(now) - self._rolling.used(now)
        return self.budget.most_at(now) - self._spent - self._reserved.get(self._start, 0)

    def used(self, now: int) -> int:
        if now >= self._due:
            self._turn(now)
        if self._rolling is None:
            return self._spent
        return self._rolling.used(now) - self.reserved(now)  # what is reserved leaves with its slice too

    def reserved(self, now: int) -> int:
        if now >= self._due:
            self._turn(now)
        if self._rolling_reserved is not None:
            return self._rolling_reserved.used(now)
        return self._reserved.get(self._start, 0)

    def window(self, now: int) -> int:
        """Return the begin of the window of a call that is admitted now. A rolling budget has but one."""
        if now >= self._due:
            self._turn(now)
        return self._start if self._rolling is None else 0

    def ends(self, now: int) -> int | None:
        """Return when the window of the calendar ends; None for the others."""
        if now >= self._due:
            self._turn(now)
        return self._end if self.budget.window in CALENDAR else None

    def reserve(self, now: int, bound: int) -> int:
        """Set the upper bound of a call aside; return the begin of its window."""
        if self._rolling is not None:
            self._rolling.add(now, bound)
        window = self.window(now)
        self.restore(now, window, bound)
        return window

    def restore(self, since: int, window: int, bound: int) -> None:
        """Set a bound aside again after a restart. A rolling budget has it among its slices already."""
        if self._rolling_reserved is not None:
            self._rolling_reserved.add(since, bound)
        else:
            self._reserved[window] = self._reserved.get(window, 0) + bound
            if not self._begun and window == self._start:
                self._begin()

    def charge(self, now: int, window: int, since: int, bound: int, cost: int) -> None:
        """Replace what was reserved at `since`, in that window, by what was used. `bound` may be 0."""
        if now >= self._due:
            self._turn(now)
        if self._told is None:  # what was reached before it was made anew has been told
            self._told = dict.fromkeys(self._reached(now) if self.used(now) else (), now)
        if self._rolling is not None and self._rolling_reserved is not None:
            self._rolling.correct(now, since, cost - bound)
            self._rolling_reserved.correct(now, since, -bound)
            return
        reserved = self._reserved.pop(window, 0) - bound
        if reserved:
            self._reserved[window] = reserved
        if window == self._start:
            self._spent += cost
            self._changed[window] = self._spent
        elif window == self._over:
            self._over_spent += cost
            self._changed[window] = self._over_spent

    def changes(self) -> Mapping[int, int]:
        """Return what must be kept: see `lib.admission.rate`."""
        if self._rolling is not None:
            return self._rolling.changes()
        changed, self._changed = self._changed, {}
        return changed

    def warning(self, now: int) -> int | None:
        """Return the highest part of the budget, in percent, that has newly been reached, or None. Tells each once."""
        told, reached = self._told, self._reached(now)
        if told is None or not reached:
            return None
        window_ms = _seconds(self.budget) * 1000
        new = [part for part in reached if part not in told or (window_ms and now - told[part] >= window_ms)]
        told.update(dict.fromkeys(new, now))
        return max(new, default=None)

    @property
    def holds(self) -> bool:
        """Tell whether calls are under way that count here: they are kept elsewhere."""
        return bool(self._reserved or (self._rolling_reserved and self._rolling_reserved.size > 1))

    @property
    def size(self) -> int:
        """Return about how much memory it takes, in slots."""
        rolling = (self._rolling, self._rolling_reserved)
        return 2 + sum(one.size for one in rolling if one is not None) + len(self._reserved)

    def _reached(self, now: int) -> list[int]:
        used, most = self.used(now) * 100, self.budget.most_at(now)
        return [part for part in WARN_AT if used >= part * most] if used >= WARN_AT[0] * most else []

    def _begin(self) -> None:
        """A call counts in this window: from now on it is the one that is kept."""
        if not self._end:
            return
        if self._over is not None:
            self._changed |= {self._over: 0, -self._over: 0}
            self._over, self._over_spent = None, 0
        self._begun = True
        self._changed[-self._start] = (self._end - self._start) * _DAYS + self._until

    def _turn(self, now: int) -> None:
        """Begin a new window: the old one is over."""
        start, end = window_of(self.budget.window, self._zone, now)
        if self._start:
            start = max(start, self._end)  # where the last one ended later than it would have here
        if start > self._start:  # not where the clock has been set back over a restart
            if self._begun:
                self._over, self._over_spent = self._start, self._spent
            self._start, self._spent, self._begun = start, 0, False
            if self._told is not None:
                self._told.clear()
        self._end = self._due = end
        self._until = day_of(self._zone, end)


def life_of(budget: Budget) -> int | None:
    """Return after how many milliseconds a slot counts no more, in whatever time zone; None: it always does."""
    if budget.window in CALENDAR:
        return {"day": 2, "week": 8, "month": 32}[budget.window] * 24 * 3_600_000 + _MARGIN_MS
    return _seconds(budget) * 1000 or None


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
