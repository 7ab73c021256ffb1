"""What a region has leased, and how it counts on that: the place of the counters in its book. See `regional.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lib.admission.budget import BudgetCounter
from lib.admission.rules import Budget


@dataclass(slots=True)
class Lot:
    """What is leased of one counter: of a budget's window, or, `brief`, of a limit. It may be used before `ends_ms`."""

    ends_ms: int
    granted: int
    used: int = 0
    reserved: int = 0
    brief: bool = False
    told: tuple[int, int] | None = None  # what the home knows: granted, used

    @property
    def left(self) -> int:
        return self.granted - self.used - self.reserved


Lots = dict[int, Lot]  # by epoch


class _Leased:
    """A counter that counts on what is leased, which is kept in memory: `holds` says so."""

    def __init__(self, lots: Lots, kept: Mapping[int, int]) -> None:
        self._lots = lots
        self._changed: dict[int, int] = {}
        for epoch, used in kept.items():
            self._lot(epoch).used = used

    @property
    def holds(self) -> bool:
        return bool(self._lots)

    @property
    def size(self) -> int:
        return 1 + len(self._lots)

    def changes(self) -> Mapping[int, int]:
        changed, self._changed = self._changed, {}
        return changed

    def rebase(self, epoch: int, used: int) -> None:
        """Take out what the home has taken over."""
        self._use(epoch, -used)

    def _use(self, epoch: int, amount: int) -> None:
        lot = self._lot(epoch)
        lot.used += amount
        self._changed[epoch] = lot.used

    def _lot(self, epoch: int) -> Lot:
        """Return the lot of a window; an empty one where the home has taken it over: a correction has come late."""
        return self._lots.setdefault(epoch, Lot(0, 0))


class Slice(_Leased, BudgetCounter):
    """What a region may spend of a budget: the place of its counter in the region's book."""

    def __init__(self, budget: Budget, lots: Lots, kept: Mapping[int, int]) -> None:
        super().__init__(lots, kept)  # and not the account's: it counts otherwise
        self.budget = budget

    def opened(self, now: int) -> bool:
        """Tell whether the window is known that it is now."""
        return bool(self._lots) and now < self._lots[max(self._lots)].ends_ms

    def left(self, now: int) -> int:
        return self._lots[max(self._lots)].left if self.opened(now) else 0

    def used(self, now: int) -> int:  # noqa: ARG002 - of the newest window, whenever that is
        return self._lots[max(self._lots)].used if self._lots else 0

    def reserved(self, now: int) -> int:  # noqa: ARG002
        return self._lots[max(self._lots)].reserved if self._lots else 0

    def window(self, now: int) -> int:  # noqa: ARG002
        return max(self._lots, default=0)

    def ends(self, now: int) -> int | None:  # noqa: ARG002
        return None  # the home tells

    def reserve(self, now: int, bound: int) -> int:
        window = self.window(now)
        self.restore(now, window, bound)
        return window

    def restore(self, since: int, window: int, bound: int) -> None:  # noqa: ARG002
        self._lot(window).reserved += bound

    def charge(self, now: int, window: int, since: int, bound: int, cost: int) -> None:  # noqa: ARG002
        self._lot(window).reserved -= bound
        self._use(window, cost)

    def warning(self, now: int) -> int | None:  # noqa: ARG002
        return None  # the home tells


class Share(_Leased):
    """What a region may let in under a limit of requests; takes the place of `lib.admission.rate.Sliding`."""

    def wait(self, now: int, amount: int) -> int:
        return 0 if any(lot.left >= amount for _, lot in self._usable(now)) else 1

    def add(self, now: int, amount: int) -> None:
        """Add an amount to the oldest lease that has room. There is one: `wait` was heeded."""
        self._use(next(epoch for epoch, lot in self._usable(now) if lot.left >= amount), amount)

    def correct(self, now: int, since: int, amount: int) -> None:
        """Nothing is corrected: a request is a request."""

    def used(self, now: int) -> int:  # noqa: ARG002
        return sum(lot.used for lot in self._lots.values())

    def left(self, now: int) -> int:
        return sum(lot.left for _, lot in self._usable(now))

    def empties(self, now: int) -> int:
        return max((lot.ends_ms - now for _, lot in self._usable(now)), default=0)

    def _usable(self, now: int) -> Iterator[tuple[int, Lot]]:
        return ((epoch, lot) for epoch, lot in sorted(self._lots.items()) if now < lot.ends_ms)


class Elsewhere:
    """A limit that is not leased: it lets nobody in here."""

    holds = False
    size = 1

    def wait(self, now: int, amount: int) -> int:  # noqa: ARG002
        return 1

    def add(self, now: int, amount: int) -> None:
        """Nothing is added: nobody was let in."""

    def correct(self, now: int, since: int, amount: int) -> None:
        """Nothing is corrected: nothing was added."""

    def used(self, now: int) -> int:  # noqa: ARG002
        return 0

    def left(self, now: int) -> int:  # noqa: ARG002
        return 0

    def empties(self, now: int) -> int:  # noqa: ARG002
        return 0

    def changes(self) -> Mapping[int, int]:
        return {}
