"""What waits in one isolate for one organisation's gate, and what is on its way there, in bounded calls."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from lib.admission import protocol
from lib.admission.protocol import Answer, BatchAnswer
from lib.kernel import failures
from lib.kernel.failures import Failure
from lib.runtime.objects.object_calls import CALL_MS

# What one call carries at most. The gate keeps it as one row of its journal, which may have 2 MB.
MOST_ROWS = 500
MOST_BYTES = 500_000
MOST_WAITING = 10_000
# A row has a record and a path, whose texts are all bounded: some kilobytes at most.
MOST_ROW_CHARACTERS = 100_000

# Who has carried for so long was thrown away with its request, and nothing of it runs any more.
GONE_SECONDS = CALL_MS / 1000 + 1
# Who was told to carry and has not begun by then, too.
HANDED_SECONDS = 1.0

# The version in place of the policy's, which is 1 or more, when a call has failed.
FAILED = 0


@dataclass(eq=False, slots=True)
class Opening:
    """A row to bring to the gate, for one who waits."""

    id: str
    row: str
    version: int
    woken: Any = None  # a JavaScript promise with its resolvers
    told: tuple[int, Answer | None] | None = None  # the policy's version, and what its rules say; None: nothing yet
    carries: bool = False  # whether it is to carry, as the next

    def tell(self, told: BatchAnswer) -> None:
        """Have it know what a call has come to."""
        self.told = told.version, told.answer(self.id)
        self.wake()

    def wake(self) -> None:
        if self.woken is not None:
            self.woken.resolve()


@dataclass(eq=False, slots=True)
class Load:
    """What one call carries: settlements by their calls' ids, for which nobody waits; and openings."""

    since: float
    settlements: dict[str, str] = field(default_factory=dict)
    openings: list[Opening] = field(default_factory=list)
    own: Opening | None = None  # of these, whose request carries
    bytes: int = 0

    def takes(self, row: str) -> bool:
        """Tell whether there is room for a row, and count it then."""
        size = len(row.encode()) + 1
        if len(self.settlements) + len(self.openings) >= MOST_ROWS or self.bytes + size > MOST_BYTES:
            return False
        self.bytes += size
        return True

    def text(self) -> str:
        """Return it as `lib.admission.gate.Gate.handle` takes it. What has been answered is not under way."""
        return protocol.batch([*self.settlements.values(), *(opening.row for opening in self.openings)])


@dataclass(slots=True)
class Queue:
    """What waits for one organisation's gate. Settlements are rows by their calls' ids, for which nobody waits."""

    opening: list[Opening] = field(default_factory=list)
    settling: dict[str, str] = field(default_factory=dict)
    doubtful: dict[str, str] = field(default_factory=dict)  # settlements at which a gate broke: each goes alone
    under_way: list[Load] = field(default_factory=list)
    free_at: float = 0.0  # from then on nobody carries any more

    def is_free(self) -> bool:
        """Tell whether nobody carries, or who did is gone."""
        return time.time() >= self.free_at

    def leave(self, name: str, row: str) -> None:
        """Have the next call take a settlement along."""
        assert len(row) <= MOST_ROW_CHARACTERS  # all of a record's texts are bounded
        if len(self.settling) >= MOST_WAITING and name not in self.settling:
            # The gate charges then what was written at the opening.
            failures.note(Failure.SETTLEMENT_UNDELIVERED, "too many wait for the gate")
            self.settling.pop(next(iter(self.settling)))
        self.settling[name] = row

    def waits(self, name: str) -> str | None:
        """Return the row of a settlement that is still to bring, or on its way; None where it has arrived."""
        on_its_way = (load.settlements[name] for load in self.under_way if name in load.settlements)
        return self.settling.get(name) or self.doubtful.get(name) or next(on_its_way, None)

    def begin(self) -> None:
        """Note that somebody carries from now on."""
        self.free_at = time.time() + GONE_SECONDS

    def load(self, version: int, own: Opening | None) -> Load:
        """Take out what goes in one call: all settlements, then one's own opening, then others judged by `version`,
        each as far as there is room. Where the settlements alone fill it, no opening goes before the last of them.
        """
        if self.under_way:
            self.take_back_lost()
        load = Load(time.time())
        self.under_way.append(load)
        if self.settling:
            self._load_settlements(load)
        if self.settling or (own is not None and not load.takes(own.row)):
            return load
        if own is not None:
            load.openings.append(own)
            load.own = own
        if self.opening:
            self._load_openings(load, version)
        return load

    def _load_settlements(self, load: Load) -> None:
        for name, row in self.settling.items():
            if not load.takes(row):
                break
            load.settlements[name] = row
        for name in load.settlements:
            del self.settling[name]

    def _load_openings(self, load: Load, version: int) -> None:
        left: list[Opening] = []
        for place, opening in enumerate(self.opening):
            if opening.version != version:
                left.append(opening)
            elif load.takes(opening.row):
                load.openings.append(opening)
            else:
                left += self.opening[place:]
                break
        self.opening = left

    def arrived(self, load: Load) -> None:
        """Note that a gate has what a call has carried."""
        if load in self.under_way:
            self.under_way.remove(load)
        for name, row in load.settlements.items():
            self.settled(name, row)

    def settled(self, name: str, row: str) -> None:
        """Note that a gate has a settlement, unless another row was left meanwhile."""
        for waiting in (self.settling, self.doubtful, *(load.settlements for load in self.under_way)):
            if waiting.get(name) == row:
                del waiting[name]

    def failed(self, load: Load, *, broke: bool) -> None:
        """Have what a call has carried, and did not bring, wait again: its settlements before those that came since.

        Where the gate `broke`, that may be by one of them. So each goes alone, and holds nobody else up.
        """
        if load not in self.under_way:  # it was taken for lost: all of it goes again, or has gone
            return
        self.under_way.remove(load)
        if broke:
            doubtful = [(name, row) for name, row in load.settlements.items() if name not in self.settling]
            self.doubtful = dict([*self.doubtful.items(), *doubtful][-MOST_ROWS:])
        else:
            self.settling = load.settlements | self.settling

    def give_back(self, load: Load) -> None:
        """Have all wait again that was to go with somebody who is thrown away with its request."""
        if load in self.under_way:
            load.since = 0.0
            self.take_back_lost()

    def hand_over(self) -> None:
        """Have the first that waits carry next."""
        if not self.opening:
            self.free_at = 0.0
            return
        self.free_at = time.time() + HANDED_SECONDS
        self.opening[0].carries = True
        self.opening.pop(0).wake()

    def is_idle(self) -> bool:
        """Tell whether nothing waits here and nothing is on its way."""
        return not (self.opening or self.settling or self.doubtful or self.under_way)

    def take_back_lost(self) -> None:
        """Have what was on its way with somebody who is gone wait again, in front, but not that one's own."""
        now = time.time()
        for load in [load for load in self.under_way if now - load.since >= GONE_SECONDS]:
            self.under_way.remove(load)
            self.settling = load.settlements | self.settling
            left = [opening for opening in load.openings if opening.told is None and opening is not load.own]
            self.opening = left + self.opening

    def patience(self, opening: Opening) -> float:
        """Return for how many seconds one whose row is on its way should wait still; less than 0 where it is not."""
        since = max((load.since for load in self.under_way if opening in load.openings), default=0.0)
        return since + GONE_SECONDS - time.time()
