"""What a region has leased, and how it counts on that: the place of the counters in its book. See `regional.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lib.admission.budget import Account
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


class Slice(Account):
    """What a region may spend of a budget: the place of its counter in the region's book.

    What is leased is kept in memory: `holds` says so, as it does of a `Share`.
    """

    def __init__(self, budget: Budget, lots: Lots, kept: Mapping[int, int]) -> None:  # not super's: it counts otherwise
        self.budget = budget
        self._lots = lots
        self._changed: dict[int, int] = {}
        _take(lots, kept)

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

    def reserve(self, now: int, bound: int) -> None:
        self.restore(now, self.window(now), bound)

    def restore(self, since: int, window: int, bound: int) -> None:  # noqa: ARG002
        self._lot(window).reserved += bound

    def charge(self, now: int, window: int, since: int, bound: int, cost: int) -> None:  # noqa: ARG002
        lot = self._lot(window)
        lot.reserved -= bound
        lot.used += cost
        self._changed[window] = lot.used

    def changes(self) -> Mapping[int, int]:
        changed, self._changed = self._changed, {}
        return changed

    def warning(self, now: int) -> int | None:  # noqa: ARG002
        return None  # the home tells

    @property
    def holds(self) -> bool:
        return bool(self._lots)

    @property
    def size(self) -> int:
        return 1 + len(self._lots)

    def rebase(self, epoch: int, used: int) -> None:
        """Take out what the home has taken over."""
        lot = self._lot(epoch)
        lot.used -= used
        self._changed[epoch] = lot.used

    def _lot(self, window: int) -> Lot:
        """Return the lot of a window; an empty one where the home has taken it over: a correction has come late."""
        return self._lots.setdefault(window, Lot(0, 0))


class Share:
    """What a region may let in under a limit of requests; takes the place of `lib.admission.rate.Sliding`."""

    def __init__(self, lots: Lots, kept: Mapping[int, int]) -> None:
        self._lots = lots
        self._changed: dict[int, int] = {}
        _take(lots, kept)

    def wait(self, now: int, amount: int) -> int:
        return 0 if any(lot.left >= amount for _, lot in self._usable(now)) else 1

    def add(self, now: int, amount: int) -> None:
        """Add an amount to the oldest lease that has room. There is one: `wait` was heeded."""
        epoch, lot = next((epoch, lot) for epoch, lot in self._usable(now) if lot.left >= amount)
        lot.used += amount
        self._changed[epoch] = lot.used

    def correct(self, now: int, since: int, amount: int) -> None:
        """Nothing is corrected: a request is a request."""

    def used(self, now: int) -> int:  # noqa: ARG002
        return sum(lot.used for lot in self._lots.values())

    def left(self, now: int) -> int:
        return sum(lot.left for _, lot in self._usable(now))

    def empties(self, now: int) -> int:
        return max((lot.ends_ms - now for _, lot in self._usable(now)), default=0)

    def changes(self) -> Mapping[int, int]:
        changed, self._changed = self._changed, {}
        return changed

    @property
    def holds(self) -> bool:
        return bool(self._lots)

    @property
    def size(self) -> int:
        return 1 + len(self._lots)

    def rebase(self, epoch: int, used: int) -> None:
        """Take out what the home has taken over."""
        self._lots[epoch].used -= used
        self._changed[epoch] = self._lots[epoch].used

    def _usable(self, now: int) -> Iterator[tuple[int, Lot]]:
        return ((epoch, lot) for epoch, lot in sorted(self._lots.items()) if now < lot.ends_ms)


def _take(lots: Lots, kept: Mapping[int, int]) -> None:
    for epoch, used in kept.items():
        lots.setdefault(epoch, Lot(0, 0)).used = used


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
