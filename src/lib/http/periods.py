"""Spans of time as a query says them: whole UTC days, or moments."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from lib.kernel.errors import BadRequest

DEFAULT_DAYS = 30
LONGEST_DAYS = 400
FIRST_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
LAST_MOMENT = datetime(3000, 1, 1, tzinfo=UTC)
Day = Annotated[date, Field(ge=FIRST_MOMENT.date(), lt=LAST_MOMENT.date())]

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _checked(text: str) -> str:
    """Refuse what is neither a day nor a moment. Raises ValueError."""
    try:
        fits = FIRST_MOMENT <= _begin(text) < LAST_MOMENT
    except (ValueError, OverflowError):
        fits = False
    if not fits:
        raise ValueError("a day (YYYY-MM-DD) or a moment with its offset (RFC 3339), from 2000 to 2999")
    return text


Moment = Annotated[str, StringConstraints(max_length=40), AfterValidator(_checked)]


def span(first: str | None, last: str | None) -> tuple[datetime, datetime]:
    """Return from when on, and until when (exclusive), two checked `Moment`s reach; all time where nothing is said.

    A day is meant with all its hours, by UTC. Raises BadRequest where the end is before the begin.
    """
    start = _begin(first) if first else FIRST_MOMENT
    end = _begin(last) + timedelta(days=1 if _DAY.fullmatch(last) else 0) if last else LAST_MOMENT
    if end < start:
        raise BadRequest("`from` must not be after `to`.", param="from")
    return start, end


def days(first: date | None, last: date | None, today: date) -> tuple[datetime, datetime]:
    """Return from when on, and until when (exclusive), whole days reach; the last 30 where nothing is said.

    Raises BadRequest where they are in the wrong order or too many.
    """
    last = last or today
    first = first or last - timedelta(days=DEFAULT_DAYS - 1)
    if not first <= last or (last - first).days >= LONGEST_DAYS:
        raise BadRequest(f"`from` must not be after `to`, and at most {LONGEST_DAYS} days before it.", param="from")
    return _midnight(first), _midnight(last) + timedelta(days=1)


def _begin(text: str) -> datetime:
    if _DAY.fullmatch(text):
        return _midnight(date.fromisoformat(text))
    if not _INSTANT.fullmatch(text):
        raise ValueError
    return datetime.fromisoformat(text.upper()).astimezone(UTC)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
