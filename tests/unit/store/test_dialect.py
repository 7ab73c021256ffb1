"""What the stores spell differently: which values both can hold, how these go in, and how JSON becomes rows."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.store.dialect import MOST_INTEGER, POSTGRES, SQLITE, checked, time_text
from tests.unit.fakes import NOW
from tests.unit.strategies import FLOATS, TEXT

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=ZONES)  # noqa: DTZ001 - its bounds
TEXTS = TEXT.filter(lambda text: "\0" not in text)
INTEGERS = st.integers(-MOST_INTEGER, MOST_INTEGER)
ROWS = st.lists(st.fixed_dictionaries({"name": st.none() | TEXTS, "size": st.none() | INTEGERS}), max_size=5)


@given(TEXTS | FLOATS | INTEGERS | st.booleans() | st.none() | TIMES)
def test_a_value_that_both_stores_hold_passes_as_it_is(value: object) -> None:
    """Nothing is changed by looking at it."""
    assert checked(value) is value


@pytest.mark.parametrize(
    "value",
    [
        *("\0", "a\0b", "\ud800", "a\udfffb", "\ude00\ud83d"),
        *(MOST_INTEGER + 1, -MOST_INTEGER - 1, 2**63, float("nan"), float("inf"), -float("inf")),
    ],
)
def test_a_value_that_one_store_has_not_is_refused(value: object) -> None:
    """With the reason, and without the value: it may be a secret, and may not even be printable."""
    with pytest.raises(ValueError, match=r"^[a-zA-Z0-9+^ ]+$"):
        checked(value)


@given(st.text())
def test_a_text_passes_exactly_when_utf_8_has_it_and_c_can_hold_it(text: str) -> None:
    """Whatever Python takes for a text."""
    try:
        storable = b"\0" not in text.encode()
    except UnicodeEncodeError:
        storable = False
    try:
        checked(text)
    except ValueError:
        assert not storable
    else:
        assert storable


@given(TIMES)
def test_a_time_survives_the_store(time: datetime) -> None:
    """To the microsecond, and in UTC; as either store has it."""
    text = time_text(time)
    assert text.endswith("Z")
    for dialect in (SQLITE, POSTGRES):
        assert dialect.encode(time) == text
        back = dialect.readers[datetime](text)
        assert back == time
        assert back.tzinfo == UTC


@given(TIMES, TIMES)
def test_stored_times_sort_as_they_read(one: datetime, other: datetime) -> None:
    """Whatever zone they came in: comparisons in SQL compare text."""
    assert (time_text(one) < time_text(other)) == (one < other)


@pytest.mark.parametrize(("value", "column"), [(True, 1), (False, 0), (None, None), ("x", "x"), (7, 7), (0.5, 0.5)])
def test_other_values_go_to_d1_as_they_are(value: bool | str | float | None, column: object) -> None:
    """Booleans as 0 and 1, and of type int: D1 refuses others in a STRICT table."""
    assert SQLITE.encode(value) == column
    assert type(SQLITE.encode(value)) is type(column)


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (None, None), ("x", "x"), ("", ""), (7, "7"), (0.5, "0.5"), (1e300, "1e+300")],
)
def test_everything_goes_to_postgresql_as_text(value: bool | str | float | None, text: str | None) -> None:
    """NULL stays NULL: an empty text is none."""
    assert POSTGRES.encode(value) == text


@pytest.mark.parametrize("zone", ["12:30:15.123456+00", "14:30:15.123456+02", "18:00:15.123456+05:30"])
def test_a_time_is_read_in_whatever_zone_postgresql_shows_it(zone: str) -> None:
    """Its sessions have a time zone of their own."""
    assert POSTGRES.readers[datetime](f"2026-05-04 {zone}") == NOW


def test_a_time_without_a_whole_fraction_is_read() -> None:
    """PostgreSQL leaves out the zeros at the end."""
    read = POSTGRES.readers[datetime]
    assert read("2026-05-04 12:30:15+00") == NOW.replace(microsecond=0)
    for digits in range(1, 7):
        fraction = "123456"[:digits]
        wanted = NOW.replace(microsecond=int(fraction.ljust(6, "0")))
        assert read(f"2026-05-04 12:30:15.{fraction}+00") == wanted


@given(ROWS)
def test_a_json_array_becomes_rows_on_sqlite(rows: list[dict[str, Any]]) -> None:
    """One for each object, its members as columns; a member that is missing is NULL."""
    table = SQLITE.json_rows("?1", {"name": str, "size": int})
    text = json.dumps([{name: value for name, value in row.items() if value is not None} for row in rows])
    connection = sqlite3.connect(":memory:")
    found = connection.execute(f"SELECT name, size FROM {table} AS sent", (text,)).fetchall()
    connection.close()
    assert found == [(row["name"], row["size"]) for row in rows]


def test_a_json_array_becomes_typed_rows_on_postgresql() -> None:
    """A list of columns, each with its type (tests/contract runs it)."""
    columns = {"name": str, "size": int, "yes": bool, "at": datetime}
    assert POSTGRES.json_rows("?1", columns) == (
        "(SELECT * FROM jsonb_to_recordset(?1) AS listed (name text, size bigint, yes boolean, at timestamptz))"
    )


@given(TIMES, TIMES)
def test_a_day_begins_before_the_times_in_it(one: datetime, other: datetime) -> None:
    """Compared with a time column, a day stands where it begins."""
    connection = sqlite3.connect(":memory:")
    day = one.astimezone(UTC).date().isoformat()
    sql = f"SELECT ?2 >= {SQLITE.day_start('?1')}"
    [(found,)] = connection.execute(sql, (day, time_text(other))).fetchall()
    connection.close()
    assert bool(found) == (other.astimezone(UTC) >= datetime.fromisoformat(day).replace(tzinfo=UTC))


def test_a_day_is_the_days_of_utc() -> None:
    """On SQLite it is the beginning of the text; on PostgreSQL the zone must be told."""
    connection = sqlite3.connect(":memory:")
    [(day,)] = connection.execute(f"SELECT {SQLITE.utc_day('?1')}", (time_text(NOW),)).fetchall()
    connection.close()
    assert day == "2026-05-04"
    assert "AT TIME ZONE 'UTC'" in POSTGRES.utc_day("started_at")
