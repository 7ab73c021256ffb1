"""Windows of the calendar: when the day, week or month of an organisation begins and ends."""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

CALENDAR = ("day", "week", "month")
# What else ZoneInfo takes is a path to a file.
_ZONE = re.compile(r"[A-Za-z0-9+_-]{1,32}(/[A-Za-z0-9+_-]{1,32}){0,2}")
MOST_ZONE_CHARACTERS = 64


def is_zone(name: str) -> bool:
    """Tell whether IANA has a time zone of this name."""
    if len(name) > MOST_ZONE_CHARACTERS or not _ZONE.fullmatch(name):
        return False
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):  # a folder, no zone's data, or nothing
        return False
    return True


@lru_cache(maxsize=64)  # for many accounts at one moment
def window_of(window: str, zone: str, now_ms: int) -> tuple[int, int]:
    """Return the begin and the end of the calendar window around a moment, in milliseconds since 1970.

    A day begins when its date does, for good. That is local midnight, but where clocks are put forward or back then, or
    where a place leaves a day out: so a day may have 23 or 25 hours. Weeks begin on Monday (ISO 8601).
    """
    place = ZoneInfo(zone)
    day = _date(now_ms, place)
    if now_ms < _begin(day, place):  # clocks will go back over midnight: the day has not begun for good
        day -= timedelta(days=1)
    if window == "week":
        day -= timedelta(days=day.weekday())
    elif window == "month":
        day = day.replace(day=1)
    following = day + timedelta(days={"day": 1, "week": 7, "month": 32}[window])
    if window == "month":
        following = following.replace(day=1)
    start, end = _begin(day, place), _begin(following, place)
    while end <= now_ms:  # the day after was left out
        following += timedelta(days=1)
        end = _begin(following, place)
    return start, end


@lru_cache(maxsize=64)
def day_of(zone: str, moment_ms: int) -> int:
    """Return the number of the day that begins at a moment, as `date.toordinal` counts."""
    return _date(moment_ms, ZoneInfo(zone)).toordinal()


@lru_cache(maxsize=64)
def begin_of(zone: str, day: int) -> int:
    """Return when a day of that number begins for good."""
    return _begin(date.fromordinal(day), ZoneInfo(zone))


def _begin(day: date, place: ZoneInfo) -> int:
    """Return the first moment from which on it is that day, or a later one."""
    first, last = sorted(round(datetime.combine(day, time(fold=fold), place).timestamp() * 1000) for fold in (0, 1))
    if _date(last - 1, place) < day:
        return last
    return first + bisect_left(range(first, last + 1), day, key=lambda moment: _date(moment, place))


def _date(moment_ms: int, place: ZoneInfo) -> date:
    return datetime.fromtimestamp(moment_ms / 1000, UTC).astimezone(place).date()
