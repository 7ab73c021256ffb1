"""A budget of the calendar when its organisation's time zone changes: no way around a hard cap."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lib.admission.budget import BudgetCounter
from lib.admission.rules import Budget, Subject
from lib.admission.windows import CALENDAR, window_of
from tests.unit.admission.keeping import keep
from tests.unit.admission.test_budget import Spender

HOUR = 3_600_000
BEGIN = 1_798_750_800_000  # 2026-12-31T21:00Z: tomorrow, and next year, in the east
AMOUNT = 100
# From where a day begins first to where it begins last: what lies between them is all there is.
ZONES = ("Pacific/Kiritimati", "Asia/Tokyo", "Europe/Berlin", "UTC", "America/New_York", "Etc/GMT+12")
FIRST, LAST = timedelta(hours=14), timedelta(hours=-12)
# The number of the day, week or month that a date is in.
NUMBERS: dict[str, Callable[[date], int]] = {
    "day": date.toordinal,
    "week": lambda day: (day.toordinal() - 1) // 7,
    "month": lambda day: day.year * 12 + day.month,
}
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["admit", "end", "wait", "wait", "move", "restart"]),
        st.integers(0, 100),
        st.sampled_from(ZONES),
        st.sampled_from([1, HOUR, 3 * HOUR, 11 * HOUR, 24 * HOUR, 8 * 24 * HOUR]),
    ),
    max_size=40,
)


def budget(window: str) -> Budget:
    return Budget("b", Subject("org", "o"), window, AMOUNT, hard=True)


def move(subject: Spender, zone: str, *, again: bool = False) -> None:
    """The zone changes: the gate reads its counters anew, as after a restart. What is used of the window stays.

    But where it has moved before, and the window is over in the zone in which it began and in this one.
    """
    before, running = subject.numbers(), subject.account.window(subject.now)
    ends = subject.account.ends(subject.now)
    keep(subject.kept, subject.account)
    subject.zone = zone
    subject.account = BudgetCounter(subject.budget, zone, dict(subject.kept))
    for call in subject.calls:
        if call.cost is None:
            subject.account.restore(call.since, call.window, call.bound)
    if before[0] == AMOUNT or (again and subject.numbers() == (AMOUNT, 0, 0)):
        return  # nothing had counted yet; what is over elsewhere may go on here
    assert subject.numbers() == before
    assert subject.account.window(subject.now) == running
    assert again or (subject.account.ends(subject.now) or 0) >= (ends or 0)


def on_earth(window: str, first_ms: int, last_ms: int) -> int:
    """Return how many days, weeks or months there are somewhere between two moments."""
    begin, end = (datetime.fromtimestamp(moment / 1000, UTC) for moment in (first_ms, last_ms))
    return NUMBERS[window]((end + FIRST).date()) - NUMBERS[window]((begin + LAST).date()) + 1


@given(st.sampled_from(CALENDAR), STEPS)
@example("day", [("admit", 100, "UTC", 1), ("move", 0, "Asia/Tokyo", 1), ("admit", 100, "UTC", 1)])
@example("month", [("admit", 60, "UTC", 1), ("move", 0, "Pacific/Kiritimati", 1), ("admit", 60, "UTC", 1)])
def test_no_change_of_zone_gives_anything_back(window: str, steps: list[tuple[str, int, str, int]]) -> None:
    """What is spent and reserved of the running window stays, and it ends no sooner. In any time, not more is admitted
    than each day, week or month of it has once, in whatever zones they were counted.
    """
    subject, again = Spender(budget(window), "UTC", BEGIN), False
    for step, number, zone, pause in steps:
        if step == "admit":
            subject.admit(number)
        elif step == "end":
            subject.end(number, 10)
        elif step == "wait":
            subject.now += pause
        elif step == "restart":
            subject.restart()
        else:
            move(subject, zone, again=again)
            again = True
        left, used, reserved = subject.numbers()
        assert left == AMOUNT - used - reserved >= 0
    for at, first in enumerate(subject.calls):
        bounds = 0
        for last in subject.calls[at:]:
            bounds += last.bound
            assert bounds <= AMOUNT * on_earth(window, first.since, last.since)


@pytest.mark.parametrize(("window", "zone"), [(window, zone) for window in CALENDAR for zone in ZONES])
def test_after_a_change_the_windows_are_those_of_the_new_zone(window: str, zone: str) -> None:
    """From the second one on. The first begins when the running one is over."""
    subject = Spender(budget(window), "UTC", BEGIN)
    subject.admit(AMOUNT)
    subject.end_all()
    move(subject, zone)
    assert subject.account.left(subject.now) == 0
    over = subject.account.ends(subject.now)
    behind = datetime.fromtimestamp(window_of(window, "UTC", BEGIN)[1] / 1000, UTC)
    assert over == max(behind, behind.replace(tzinfo=ZoneInfo(zone))).timestamp() * 1000
    subject.now = over - 1
    assert subject.account.left(subject.now) == 0
    subject.now = over
    assert subject.account.left(subject.now) == AMOUNT
    following = subject.account.ends(subject.now)
    assert following == window_of(window, zone, over)[1]
    subject.now = following
    assert (subject.account.window(following), subject.account.ends(following)) == window_of(window, zone, following)


def test_what_is_over_goes_on_where_its_day_is_not() -> None:
    """However long ago somebody last looked: so a day has its amount once, also who moves west at its end."""
    seen = []
    for looks in (False, True):
        account, kept = BudgetCounter(budget("day"), "UTC", {}), dict[int, int]()
        account.reserve(BEGIN, 60)
        account.charge(BEGIN, account.window(BEGIN), BEGIN, 60, 60)
        later = BEGIN + 4 * HOUR
        if looks:
            assert account.left(later) == AMOUNT
        west = BudgetCounter(budget("day"), "America/New_York", keep(kept, account))
        seen.append((west.left(later), west.window(later), west.left(later + 4 * HOUR)))
    assert seen == [(40, window_of("day", "UTC", BEGIN)[0], AMOUNT)] * 2


def test_counters_from_before_ends_were_kept_go_on() -> None:
    """They know the begin alone; where that is not later than the new window's, they count as they did."""
    start, end = window_of("day", "UTC", BEGIN)
    account = BudgetCounter(budget("day"), "UTC", {start: 40})
    assert (account.left(BEGIN), account.window(BEGIN), account.ends(BEGIN)) == (60, start, end)


@pytest.mark.parametrize("bound", [0, 40])
def test_a_call_that_cost_nothing_holds_its_window_whenever_it_was_kept(bound: int) -> None:
    """A gate that died while the call was under way, and one that lived on, show the same end after a move."""
    shown, window = [], 0
    for dies in (False, True):
        kept: dict[int, int] = {}
        account = BudgetCounter(budget("day"), "UTC", kept)
        window = account.window(BEGIN)
        account.reserve(BEGIN, bound)
        if dies:
            account = BudgetCounter(budget("day"), "UTC", keep(kept, account))
            account.restore(BEGIN, window, bound)
        account.charge(BEGIN, window, BEGIN, bound, 0)
        moved = BudgetCounter(budget("day"), "Asia/Tokyo", keep(kept, account))
        shown.append((moved.window(BEGIN), moved.ends(BEGIN)))
    assert shown[0] == shown[1]
    assert shown[0][0] == window
