"""Windows of the calendar, against a search through local dates, in zones whose clocks do odd things at midnight."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lib.admission.windows import CALENDAR, window_of

MINUTE, DAY = 60_000, 86_400_000
# A zone, and a day around which its clocks were put on or back at or about midnight, or a day was left out.
TURNS = (
    ("UTC", "2026-11-20"),
    ("America/Sao_Paulo", "2018-11-04"),  # put on at midnight
    ("America/Sao_Paulo", "2019-02-17"),  # put back at midnight
    ("Africa/Cairo", "2024-04-26"),
    ("Africa/Cairo", "2024-11-01"),
    ("Asia/Beirut", "2022-03-27"),
    ("Asia/Beirut", "2022-10-30"),
    ("America/Havana", "2024-03-10"),
    ("America/Havana", "2024-11-03"),  # put back at one, to midnight
    ("Asia/Tehran", "2022-03-22"),
    ("Asia/Tehran", "2022-09-22"),
    ("Atlantic/Azores", "2025-10-26"),
    ("Australia/Lord_Howe", "2025-10-05"),  # by half an hour
    ("Australia/Lord_Howe", "2026-04-05"),
    ("America/St_Johns", "2010-11-07"),  # put back at one past midnight, to the day before
    ("America/St_Johns", "2010-03-14"),
    ("Asia/Gaza", "2011-04-01"),
    ("Pacific/Apia", "2011-12-30"),  # left out
    ("Pacific/Kwajalein", "1993-08-21"),  # left out
    ("Pacific/Kiritimati", "2026-01-01"),  # UTC+14
    ("Etc/GMT+12", "2026-01-01"),
    ("Etc/GMT-14", "2026-03-01"),
    ("Europe/Berlin", "2026-03-29"),
    ("America/New_York", "2026-11-01"),
    ("Asia/Kathmandu", "2026-06-01"),
)
MOMENTS = st.tuples(
    st.sampled_from(TURNS), st.sampled_from([-45, -8, -1, 0, 0, 0, 1, 8, 45]), st.integers(0, 2 * DAY)
).map(lambda drawn: (drawn[0][0], _noon(drawn[0][1]) + drawn[1] * DAY + drawn[2] - DAY))
EDGES = st.sampled_from([-MINUTE, -1, 0, 1, MINUTE])


def _noon(day: str) -> int:
    return round(datetime.fromisoformat(day + "T12:00:00+00:00").timestamp() * 1000)


def local_date(zone: str, moment: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment)).astimezone(ZoneInfo(zone)).date()


@cache
def begin_of(zone: str, day: date) -> int:
    """Search every minute for the last one at which the date turns to this day, or past it where it was left out."""
    middle = round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    for moment in range(middle + 27 * 60 * MINUTE, middle - 27 * 60 * MINUTE, -MINUTE):
        if local_date(zone, moment - MINUTE) < day:
            return moment
    raise AssertionError("a day begins somewhere")


def expected(window: str, zone: str, moment: int) -> tuple[int, int]:
    day = local_date(zone, moment)
    while begin_of(zone, day) > moment:  # a bit of the next day came early
        day -= timedelta(days=1)
    if window == "day":
        return begin_of(zone, day), begin_of(zone, day + timedelta(days=1))
    if window == "week":
        first = date.fromisocalendar(*day.isocalendar()[:2], 1)
        return begin_of(zone, first), begin_of(zone, first + timedelta(days=7))
    years, months = divmod(day.month, 12)
    following = date(day.year + years, months + 1, 1)
    return begin_of(zone, date(day.year, day.month, 1)), begin_of(zone, following)


@given(st.sampled_from(CALENDAR), MOMENTS)
@example("day", ("Pacific/Apia", _noon("2011-12-29") + DAY - 1))
@example("day", ("America/St_Johns", _noon("2010-11-07") - 9 * 60 * MINUTE))
def test_a_window_is_what_the_local_calendar_says(window: str, place: tuple[str, int]) -> None:
    """It begins when the date turns for good, and ends when the next one begins; weeks begin on Mondays."""
    zone, moment = place
    assert window_of(window, zone, moment) == expected(window, zone, moment)


@given(st.sampled_from(CALENDAR), MOMENTS, EDGES)
def test_every_moment_lies_in_exactly_one_window(window: str, place: tuple[str, int], edge: int) -> None:
    """Windows touch, never overlap, and hold the moments that name them, up to the last millisecond."""
    zone, moment = place
    begin, end = window_of(window, zone, moment)
    assert begin <= moment < end
    assert window_of(window, zone, begin) == window_of(window, zone, end - 1) == (begin, end)
    before, after = window_of(window, zone, begin - 1), window_of(window, zone, end)
    assert (before[1], after[0]) == (begin, end)
    near = window_of(window, zone, begin + edge)
    assert near == (before if edge < 0 else (begin, end))


@pytest.mark.parametrize(
    ("window", "zone", "moment", "begin", "end"),
    [
        ("day", "UTC", "2026-11-20T23:59:59.999Z", "2026-11-20T00:00Z", "2026-11-21T00:00Z"),
        ("day", "Europe/Berlin", "2026-03-29T12:00Z", "2026-03-28T23:00Z", "2026-03-29T22:00Z"),  # 23 hours
        ("day", "America/New_York", "2026-11-01T12:00Z", "2026-11-01T04:00Z", "2026-11-02T05:00Z"),  # 25 hours
        ("day", "America/Sao_Paulo", "2018-11-04T12:00Z", "2018-11-04T03:00Z", "2018-11-05T02:00Z"),
        ("week", "UTC", "2027-01-01T00:00Z", "2026-12-28T00:00Z", "2027-01-04T00:00Z"),
        ("month", "Pacific/Kiritimati", "2026-01-31T10:00Z", "2026-01-31T10:00Z", "2026-02-28T10:00Z"),
        ("month", "UTC", "2028-02-29T23:00Z", "2028-02-01T00:00Z", "2028-03-01T00:00Z"),
        ("month", "UTC", "2026-12-31T23:00Z", "2026-12-01T00:00Z", "2027-01-01T00:00Z"),
    ],
)
def test_windows_that_anybody_can_check(window: str, zone: str, moment: str, begin: str, end: str) -> None:
    at, first, last = (round(datetime.fromisoformat(text).timestamp() * 1000) for text in (moment, begin, end))
    assert window_of(window, zone, at) == (first, last)
