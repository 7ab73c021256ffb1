"""A comparison of counters with the ledger: it agrees whatever calls there were, and a changed record is found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.admission.budget import BudgetCounter
from lib.admission.rules import Budget, Subject
from lib.reconcile.verification import (
    EARLY_MS,
    LATE_MS,
    SLACK_MS,
    Entry,
    Line,
    Reach,
    Verdict,
    expect,
    reach,
    worst,
)

DAY = 86_400_000
CREATED = 1_798_750_800_000  # 2026-12-31T21:00Z: near the end of a day, a month and a year
WINDOWS = ["total", "day", "week", "month", "rolling:60", "rolling:86400"]
ZONES = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Kiritimati"]


@dataclass(frozen=True)
class Call:
    """A call as a test makes it: `after_ms` since the one before, let in `wait_ms` after its begin, and its end."""

    after_ms: int
    wait_ms: int
    lasts_ms: int
    bound: int
    cost: int


CALLS = st.lists(
    st.builds(
        Call,
        after_ms=st.sampled_from([0, 1, 999, 20_000, 59_000, 60_000, 3_600_000, DAY - 1, DAY, 8 * DAY]),
        wait_ms=st.integers(0, EARLY_MS - 1),
        lasts_ms=st.sampled_from([0, 5, 30_000, 600_000]),
        bound=st.integers(0, 100),
        cost=st.integers(1, 100),
    ),
    max_size=25,
)


class World:
    """One budget's account with all calls before and since its creation, and the ledger of those that have ended."""

    def __init__(self, window: str, zone: str, calls: Iterable[Call], *, bounded: bool = False) -> None:
        self.bounded = bounded
        self.window, self.account = (
            window,
            BudgetCounter(Budget("b", Subject("org", "o"), window, 0, hard=False), zone, {}),
        )
        self.entries: list[Entry] = []
        self.placed: dict[str, int | None] = {}  # the window that the gate put a call in; None: there was no budget yet
        events: list[tuple[int, int, int, Call]] = []
        began = CREATED - 2 * DAY
        for number, drawn in enumerate(calls):
            call = replace(drawn, bound=max(drawn.bound, drawn.cost)) if bounded else drawn
            began += call.after_ms
            events.append((began + call.wait_ms, 0, number, call))
            events.append((began + call.wait_ms + call.lasts_ms, 1, number, call))
        since: dict[int, int] = {}
        self.now = CREATED
        for moment, ends, number, call in sorted(events, key=lambda event: event[:3]):
            self.now = max(self.now, moment)
            if ends:
                self._settle(str(number), moment, since.get(number), call)
            elif moment >= CREATED:
                since[number] = moment
                self.placed[str(number)] = self.account.window(moment)
                self.account.reserve(moment, call.bound)
            else:
                self.placed[str(number)] = None

    def _settle(self, name: str, moment: int, since: int | None, call: Call) -> None:
        began = moment - call.lasts_ms - call.wait_ms
        self.entries.append(Entry(name, "o", call.cost, began, moment - began, lost=False))
        if since is not None:
            placed = self.placed[name]
            assert placed is not None
            self.account.charge(moment, placed, since, call.bound, call.cost)

    def line(self, entries: Iterable[Entry] | None = None, *, remembers: bool = True) -> Line:
        used, begin = self.account.used(self.now), self.account.window(self.now)
        covered = reach(self.window, begin, CREATED, self.now, bounded=self.bounded)

        def counts(entry: Entry) -> bool | None:
            return self.placed[entry.id] == begin if remembers else None

        least, most = expect(covered, self.entries if entries is None else entries, counts)
        return Line("o", used, used, least, most)


@given(st.sampled_from(WINDOWS), st.sampled_from(ZONES), CALLS, st.booleans())
def test_whatever_is_called_the_counter_agrees_with_the_records(
    window: str, zone: str, calls: list[Call], bounded: bool
) -> None:
    """Over turns of windows, calls that began before the budget, and such as were let in after a window's turn."""
    world = World(window, zone, calls, bounded=bounded)
    assert world.line().verdict is Verdict.AGREES
    assert world.line(remembers=False).verdict is Verdict.AGREES
    if not window.startswith("rolling"):  # what a gate remembers leaves nothing open
        assert world.line().least == world.line().most


@given(st.sampled_from(WINDOWS), st.sampled_from(ZONES), CALLS, st.data())
def test_a_changed_record_is_found(window: str, zone: str, calls: list[Call], data: st.DataObject) -> None:
    """More or less by one nano-dollar, or gone: of each record that surely counts."""
    world = World(window, zone, [*calls, Call(LATE_MS, 0, 0, 5, 5)])
    exact = world.line()
    if exact.least != exact.most or not exact.least:
        return
    begin = world.account.window(world.now)
    covered = reach(window, begin, CREATED, world.now)
    counted = [
        at
        for at, entry in enumerate(world.entries)
        if entry.started_ms >= covered.possible_ms and world.placed[entry.id] == begin
    ]
    at = data.draw(st.sampled_from(counted))
    if expect(covered, [world.entries[at]], lambda _: True)[0] == 0:
        return
    entry = world.entries[at]
    for changed in ([replace(entry, cost=entry.cost + 1)], [replace(entry, cost=entry.cost - 1)], []):
        assert world.line([*world.entries[:at], *changed, *world.entries[at + 1 :]]).verdict is Verdict.DIFFERS


def test_a_call_near_the_begin_counts_as_the_gate_says() -> None:
    """Its begin on record alone does not tell in which window it was let in."""
    covered = reach("day", CREATED, 0, CREATED + DAY // 2)
    near = Entry("1", "o", 7, CREATED - 5, 10, lost=False)
    assert expect(covered, [near], lambda _: True) == (7, 7)
    assert expect(covered, [near], lambda _: False) == (0, 0)
    assert expect(covered, [near], lambda _: None) == (0, 7)
    assert expect(covered, [replace(near, started_ms=CREATED - EARLY_MS - 1)], lambda _: True) == (0, 0)


def test_a_budget_counts_from_its_creation() -> None:
    """Not what was called in its window before."""
    covered = reach("total", 0, CREATED, CREATED + DAY)
    assert covered == Reach(CREATED - EARLY_MS, CREATED, CREATED + LATE_MS)


def test_a_call_that_is_about_to_leave_a_rolling_window_may_count_or_not() -> None:
    """The counter and the ledger are not read in the same moment."""
    now = CREATED + DAY
    covered = reach("rolling:3600", 0, CREATED, now)

    def range_of(age: int, *, lost: bool = False) -> tuple[int, int]:
        return expect(covered, [Entry("1", "o", 7, now - age, 0, lost=lost)], lambda _: True)

    assert range_of(3_600_000 - SLACK_MS - 2_000) == (7, 7)
    assert range_of(3_600_000) == (0, 7)
    assert range_of(3_600_000 + 3_600 + EARLY_MS) == (0, 7)
    assert range_of(3_600_000 + 3_600 + EARLY_MS + 1) == (0, 0)
    assert range_of(3_600_000 + 3_600 + EARLY_MS + 1, lost=True) == (0, 7)  # nobody knows when it was given up
    covered = reach("rolling:3600", 0, CREATED, now, bounded=True)
    assert range_of(3_600_000 + 3_600 + EARLY_MS + 1, lost=True) == (0, 0)  # but it left with what was reserved


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (Line("o", 5, 5, 5, 5), Verdict.AGREES),
        (Line("o", 5, 5, 4, 6), Verdict.AGREES),
        (Line("o", 5, 5, 6, 6), Verdict.DIFFERS),
        (Line("o", 5, 5, 4, 4), Verdict.DIFFERS),
        (Line("o", 3, 6, 5, 5), Verdict.BUSY),
        (Line("o", 6, 3, 5, 5), Verdict.BUSY),
        (Line("o", 3, 4, 5, 5), Verdict.DIFFERS),
        (Line("o", 5, 5, 4, 6, firm=False), Verdict.UNVERIFIABLE),
        (Line("o", 6, 6, 4, 6, firm=False), Verdict.AGREES),
        (Line("o", 7, 7, 4, 6, firm=False), Verdict.DIFFERS),
    ],
)
def test_what_a_line_says(line: Line, verdict: Verdict) -> None:
    """A range that deleted records leave proves nothing but by its ends; a moving counter must have passed the sum."""
    assert line.verdict is verdict


def test_the_worst_is_said_of_all() -> None:
    """And nothing agrees with nothing."""
    assert worst([]) is Verdict.AGREES
    assert worst([Verdict.BUSY, Verdict.DIFFERS, Verdict.AGREES, Verdict.UNVERIFIABLE]) is Verdict.DIFFERS
    assert worst([Verdict.AGREES, Verdict.BUSY]) is Verdict.BUSY
