"""Whether a budget's counter is what the ledger says. Pure arithmetic on nano-dollars and milliseconds since 1970.

A budget counts the calls that were let in since it was made, each in the window in which it was let in. The ledger says
when a call began, which is some moments earlier. So most calls surely count or surely don't, and around the begin of a
window only the gate knows. It remembers for a day; of what is older, the ledger gives a range.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from lib.admission.rate import SLICES

# How long a call may take from its begin until it is let in: a full wait for the gate, and deciding anew.
EARLY_MS = 20_000
# How long after a budget's creation its gate may not know it yet: its maker has an answer by then.
LATE_MS = 60_000
# By how much the clocks of two machines may differ.
SKEW_MS = 2_000
# How long a comparison may take in a window that rolls: so much, or a part of the window.
SLACK_MS, SLACK_PART = 10_000, 500
# How long a call may be under way until it is settled or given up.
LONGEST_MS = 3_660_000
_ROLLING = "rolling:"


class Verdict(StrEnum):
    """What a comparison says, the best first.

    BUSY: calls were settled all the while, and the counter was within what the ledger said.
    UNVERIFIABLE: what the ledger has left gives a range only, and the counter is in it.
    """

    AGREES = "agrees"
    BUSY = "busy"
    UNVERIFIABLE = "unverifiable"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class Entry:
    """One record: when its call began, how long it lasted, and what it cost."""

    id: str
    subject: str
    cost: int
    started_ms: int
    duration_ms: int
    lost: bool

    @property
    def ends_ms(self) -> int:
        """When it was settled at the latest."""
        return self.started_ms + self.duration_ms + (LONGEST_MS if self.lost else 0)


@dataclass(frozen=True, slots=True)
class Reach:
    """Which calls count, by when they began: none before `possible_ms`, all from `sure_ms` on.

    `begin_ms` is when the window begins for this budget, by the clock. A rolling one has two more limits: what ended
    before `leaves_ms` has left, and what began before `whole_ms` may be about to.
    """

    possible_ms: int
    begin_ms: int
    sure_ms: int
    leaves_ms: int = 0
    whole_ms: int = 0


def reach(
    window: str, begin_ms: int, created_ms: int, now_ms: int, *, slack_ms: int | None = None, bounded: bool = False
) -> Reach:
    """Return the reach of a budget that was made at `created_ms`, for a comparison that begins now.

    `begin_ms` is that of the calendar's window, as its gate says; 0 for the others. `slack_ms` is how long it may take,
    `slack_of` the window where it is None. `bounded`: no call has cost more than was reserved for it, as under a hard
    budget.
    """
    if not window.startswith(_ROLLING):
        begin, sure = max(begin_ms, created_ms), max(begin_ms + SKEW_MS, created_ms + LATE_MS)
        return Reach(begin - EARLY_MS, begin, sure)
    width = int(window.removeprefix(_ROLLING)) * 1000
    edge = now_ms - width
    leaves = edge - -(-width // SLICES) - EARLY_MS  # it counts for a slice longer at most
    whole = edge + (slack_of(window) if slack_ms is None else slack_ms) + SKEW_MS
    return Reach(
        # What is settled above its bound counts from its end on.
        possible_ms=max(created_ms - EARLY_MS, leaves if bounded else leaves - LONGEST_MS),
        begin_ms=max(created_ms, edge),
        sure_ms=max(created_ms + LATE_MS, whole),
        leaves_ms=leaves,
        whole_ms=whole,
    )


def slack_of(window: str) -> int:
    """Return how many milliseconds a comparison may take. Only a window that rolls moves on meanwhile."""
    if not window.startswith(_ROLLING):
        return LONGEST_MS
    return max(SLACK_MS, int(window.removeprefix(_ROLLING)) * 1000 // SLACK_PART)


def expect(covered: Reach, entries: Iterable[Entry], counts: Callable[[Entry], bool | None]) -> tuple[int, int]:
    """Return the least and the most that the budget may have counted of these records, which are of its scope.

    `counts` tells of a call near the begin whether it counts; None where nobody knows any more.
    """
    least = most = 0
    for entry in entries:
        if entry.started_ms >= covered.sure_ms:
            least, most = least + entry.cost, most + entry.cost
        elif entry.started_ms >= covered.possible_ms and entry.ends_ms >= covered.leaves_ms:
            known = counts(entry)
            most += 0 if known is False else entry.cost
            least += entry.cost if known and entry.started_ms >= covered.whole_ms else 0
    return least, most


@dataclass(frozen=True, slots=True)
class Line:
    """One subject's counter, as it was before and after the ledger was read, beside what the ledger says.

    `firm`: the range of the ledger is only what calls near the begin leave open; else records are missing.
    """

    subject: str
    before: int
    after: int
    least: int
    most: int
    firm: bool = True

    @property
    def verdict(self) -> Verdict:
        low, high = sorted((self.before, self.after))
        if high < self.least or low > self.most:
            return Verdict.DIFFERS
        if low != high:
            return Verdict.BUSY
        return Verdict.AGREES if self.firm or low in (self.least, self.most) else Verdict.UNVERIFIABLE


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return what is to be said of all together."""
    order = list(Verdict)
    return max(verdicts, key=order.index, default=Verdict.AGREES)
