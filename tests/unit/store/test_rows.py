"""Rows as frozen values: SQLite's few types become Python's, and back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.store.rows import decode, to_column
from tests.unit.fakes import NOW

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=ZONES)  # noqa: DTZ001 - its bounds


@dataclass(frozen=True, slots=True)
class Row:
    """One column of each kind."""

    text: str
    number: int
    ratio: float | None
    yes: bool
    maybe: bool | None
    at: datetime
    ended: datetime | None
    scopes: frozenset[str]


COLUMNS = {
    "text": "é",
    "number": 2**53 - 1,
    "ratio": 0.5,
    "yes": 1,
    "maybe": None,
    "at": "2026-05-04T12:30:15.123456Z",
    "ended": None,
    "scopes": '["b","a","b"]',
}


def test_a_row_becomes_a_value_of_its_type() -> None:
    """Times get their zone, 0 and 1 become booleans, a JSON list becomes a set."""
    row = decode(Row, COLUMNS)
    assert row == Row("é", 2**53 - 1, 0.5, True, None, NOW, None, frozenset({"a", "b"}))
    assert row.yes is True


def test_further_columns_do_not_matter_but_a_missing_one_does() -> None:
    """A missing column is a defect in the SQL beside the dataclass, and loud."""
    assert decode(Row, {**COLUMNS, "more": 1}).text == "é"
    with pytest.raises(KeyError):
        decode(Row, {name: value for name, value in COLUMNS.items() if name != "at"})


@given(TIMES)
def test_a_time_survives_the_store(time: datetime) -> None:
    """To the microsecond, and in UTC."""
    text = to_column(time)
    assert isinstance(text, str)
    assert text.endswith("Z")
    back = datetime.fromisoformat(text)
    assert back == time
    assert back.tzinfo == UTC


@given(TIMES, TIMES)
def test_stored_times_sort_as_they_read(one: datetime, other: datetime) -> None:
    """Whatever zone they came in: comparisons in SQL compare text."""
    assert (str(to_column(one)) < str(to_column(other))) == (one < other)


@pytest.mark.parametrize(("value", "column"), [(True, 1), (False, 0), (None, None), ("x", "x"), (7, 7), (0.5, 0.5)])
def test_other_values_are_stored_as_they_are(value: bool | str | float | None, column: object) -> None:
    """Booleans as 0 and 1, and of type int: D1 refuses others in a STRICT table."""
    assert to_column(value) == column
    assert type(to_column(value)) is type(column)
