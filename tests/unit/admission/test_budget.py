"""Budgets: what is spent and reserved stays within, each call is charged where it was admitted, warnings come once."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lib.admission.budget import WARN_AT, BudgetCounter
from lib.admission.rules import Budget, Subject
from lib.admission.windows import CALENDAR, window_of
from tests.unit.admission.keeping import keep

SECOND, DAY = 1_000, 86_400_000
BEGIN = 1_798_750_800_000  # 2026-12-31T21:00Z: near the end of a day, a month and a year
ROLLING_MS = 60 * SECOND
WINDOWS = st.sampled_from(["total", "day", "week", "month", "rolling:60"])
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Kiritimati"])
PAUSES = st.sampled_from([0, 1, 59, 60, 30_000, 59_999, 60_000, 60_059, 3_600_000, DAY - 1, DAY, 7 * DAY, 31 * DAY])


@dataclass
class Call:
    """A call, and what it was charged: nothing while it is under way."""

    since: int
    window: int
    bound: int
    cost: int | None = None


@dataclass
class Spender:
    """An account with all its calls. It may be built anew at any time from what was kept."""

    budget: Budget
    zone: str
    now: int = BEGIN
    kept: dict[int, int] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.account = BudgetCounter(self.budget, self.zone, {})

    def restart(self) -> None:
        """The gate dies; what was kept is on disk, and so are the calls that are under way."""
        before = self.numbers()
        keep(self.kept, self.account)
        self.account = BudgetCounter(self.budget, self.zone, dict(self.kept))
        for call in self.calls:  # in the order of their admission, as the gate does it
            if call.cost is None:
                self.account.restore(call.since, call.window, call.bound)
        assert self.numbers() == before

    def numbers(self) -> tuple[int, int, int]:
        return self.account.left(self.now), self.account.used(self.now), self.account.reserved(self.now)

    def admit(self, bound: int) -> None:
        if bound <= self.account.left(self.now):
            self.calls.append(Call(self.now, self.account.window(self.now), bound))
            self.account.reserve(self.now, bound)

    def end(self, index: int, part: int) -> None:
        """One call ends; it cost that many tenths of its bound. Those that have ended may be corrected."""
        if self.calls:
            call = self.calls[index % len(self.calls)]
            before, bound = (0, call.bound) if call.cost is None else (call.cost, 0)
            call.cost = (call.bound if call.cost is None else call.cost) * part // 10  # corrected downwards only
            self.account.charge(self.now, call.window, call.since, bound, call.cost - before)

    def end_all(self) -> None:
        for index, call in enumerate(self.calls):
            if call.cost is None:
                self.end(index, 10)

    def of_this_window(self) -> list[Call]:
        """The calls that count now; for a rolling budget those of the last minute."""
        if self.budget.window in CALENDAR:
            begin, end = window_of(self.budget.window, self.zone, self.now)
            return [call for call in self.calls if begin <= call.since < end]
        return [call for call in self.calls if self.budget.window == "total" or call.since > self.now - ROLLING_MS]

    def check(self) -> None:
        most = self.budget.most
        left, used, reserved = self.numbers()
        spent = sum(call.cost or 0 for call in self.of_this_window())
        held = sum(call.bound for call in self.of_this_window() if call.cost is None)
        assert min(used, reserved) >= 0
        assert left == most - used - reserved
        assert 0 <= left <= most
        if self.budget.window == "rolling:60":  # a slice longer at most, and never shorter
            assert (used >= spent, reserved >= held) == (True, True)
        else:
            assert (used, reserved) == (spent, held)


STEPS = st.lists(
    st.tuples(st.sampled_from(["admit", "admit", "end", "wait", "restart"]), st.integers(0, 60), PAUSES), max_size=30
)


@given(WINDOWS, ZONES, STEPS)
@example("rolling:60", "UTC", [("admit", 9, 0), ("wait", 0, 60_059), ("admit", 9, 0), ("end", 0, 0), ("admit", 60, 0)])
@example("rolling:60", "UTC", [*[("admit", 9, 0), ("wait", 0, 30_000)] * 2, ("restart", 0, 0), ("wait", 0, 60)])
@example("rolling:60", "UTC", [("admit", 60, 0), ("wait", 0, 60_059), ("restart", 0, 0), ("admit", 60, 0)])
def test_spent_and_reserved_never_pass_the_budget(window: str, zone: str, steps: list[tuple[str, int, int]]) -> None:
    """Each window holds exactly the calls admitted in it, at their bound until they end; also after a restart.

    When all have ended nothing is reserved, and no minute holds more than a rolling budget, by the time of admission.
    """
    subject = Spender(Budget("b", Subject("org", "o"), window, 100, hard=True), zone)
    for step, number, pause in steps:
        if step == "admit":
            subject.admit(number)
        elif step == "end":
            subject.end(number, number % 11)
        elif step == "wait":
            subject.now += pause
        else:
            subject.restart()
        subject.check()
    subject.end_all()
    subject.check()
    assert subject.account.reserved(subject.now) == 0
    for first in subject.calls if window == "rolling:60" else ():
        costs = [call.cost or 0 for call in subject.calls if first.since <= call.since < first.since + ROLLING_MS]
        assert sum(costs) <= 100


@given(WINDOWS, st.lists(st.tuples(st.integers(0, 60), PAUSES), max_size=20))
def test_a_soft_budget_counts_what_passes_it(window: str, calls: list[tuple[int, int]]) -> None:
    """It has no bound: more than all may be used, and less than nothing left."""
    subject = Spender(Budget("b", Subject("org", "o"), window, 20, hard=False), "UTC")
    for cost, pause in calls:
        subject.now += pause
        begin = subject.account.window(subject.now)
        subject.account.reserve(subject.now, 0)
        subject.account.charge(subject.now, begin, subject.now, 0, cost)
        subject.calls.append(Call(subject.now, begin, 0, cost))
        spent = sum(call.cost or 0 for call in subject.of_this_window())
        assert subject.account.used(subject.now) >= spent
        assert window == "rolling:60" or subject.account.used(subject.now) == spent
        assert subject.account.left(subject.now) == 20 - subject.account.used(subject.now)


@given(WINDOWS, ZONES, st.lists(PAUSES, max_size=10))
def test_a_windows_end_is_told_where_there_is_one(window: str, zone: str, waits: list[int]) -> None:
    """Calendar windows end; the others do not."""
    subject = Spender(Budget("b", Subject("org", "o"), window, 20, hard=True), zone)
    for pause in waits:
        subject.now += pause
        expected = window_of(window, zone, subject.now)[1] if window in CALENDAR else None
        assert subject.account.ends(subject.now) == expected


@given(st.sampled_from(CALENDAR), st.lists(st.sampled_from([DAY, 7 * DAY, 31 * DAY]), max_size=15), st.booleans())
def test_a_budget_keeps_one_window_only(window: str, waits: list[int], restarts: bool) -> None:
    """However long it runs: what is over need not be kept. A window is what was spent in it, and when it ends."""
    subject = Spender(Budget("b", Subject("org", "o"), window, 20, hard=True), "UTC")
    for pause in waits:
        subject.now += pause
        subject.admit(1)
        subject.end(-1, 10)
        if restarts:
            subject.restart()
        assert len(keep(subject.kept, subject.account)) <= 2


# Warnings


def spend(account: BudgetCounter, now: int, cost: int) -> int | None:
    account.reserve(now, 0)
    account.charge(now, account.window(now), now, 0, cost)
    return account.warning(now)


@given(WINDOWS, st.lists(st.integers(-30, 40), max_size=15))
def test_each_part_is_told_once_a_window(window: str, costs: list[int]) -> None:
    """At 50, 80 and 100 percent; corrections downwards and up again do not tell a second time."""
    account = BudgetCounter(Budget("b", Subject("org", "o"), window, 100, hard=False), "UTC", {})
    told: list[int] = []
    for cost in costs:
        part = spend(account, BEGIN, max(cost, -account.used(BEGIN)))
        spent = account.used(BEGIN)
        if part is not None:
            assert spent >= part
            told.append(part)
        assert max(told, default=0) >= max((part for part in WARN_AT if spent >= part), default=0)
    assert told == sorted(set(told))


@pytest.mark.parametrize(("window", "later"), [("day", DAY), ("month", 31 * DAY), ("rolling:60", 2 * ROLLING_MS)])
def test_a_new_window_tells_anew(window: str, later: int) -> None:
    account = BudgetCounter(Budget("b", Subject("org", "o"), window, 100, hard=False), "UTC", {})
    assert [spend(account, BEGIN, cost) for cost in (49, 1, 29, 1, 19, 1, 5)] == [None, 50, None, 80, None, 100, None]
    assert [spend(account, BEGIN + later, cost) for cost in (49, 40, 40)] == [None, 80, 100]


def test_a_restart_tells_nothing_twice() -> None:
    """What was told before is not known; what is reached later is told."""
    budget = Budget("b", Subject("org", "o"), "total", 100, hard=False)
    account = BudgetCounter(budget, "UTC", {})
    assert spend(account, BEGIN, 60) == 50
    again = BudgetCounter(budget, "UTC", keep({}, account))
    assert [spend(again, BEGIN, cost) for cost in (0, 10, 10, 20)] == [None, None, 80, 100]


def test_a_budget_of_nothing_has_nothing_left() -> None:
    account = BudgetCounter(Budget("b", Subject("org", "o"), "day", 0, hard=True), "UTC", {})
    assert (account.left(BEGIN), account.used(BEGIN), account.reserved(BEGIN)) == (0, 0, 0)
