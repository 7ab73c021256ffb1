"""The few things that SQLite and PostgreSQL spell differently: expressions, and how values go in and come out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Convert = Callable[[Any], Any]

# What a number of JavaScript holds exactly; D1 has no other integers.
MOST_INTEGER = 2**53


@dataclass(frozen=True, slots=True, eq=False)
class Dialect:
    """One store's spelling. The functions take SQL of ours, never input.

    utc_day: of a time column, its UTC day as text, `YYYY-MM-DD`.
    day_start: of a column or query that gives such a day, when it begins, to be compared with a time column.
    json_rows: (place, columns) → what to put behind FROM, so that the JSON array bound at this place gives a row for
    each of its objects, and a column for each member, of the types given.
    joined: of a text column, the texts of all rows with a space between them; null where there are none.
    by_index: of an index, what to put behind its table's name so that no other is chosen. PostgreSQL counts what is in
    its tables and needs no telling; D1 has no such figures.
    encode: a checked value as the driver takes it. readers: how a column of each type is read.
    """

    name: str
    utc_day: Callable[[str], str]
    day_start: Callable[[str], str]
    json_rows: Callable[[str, Mapping[str, type]], str]
    joined: Callable[[str], str]
    by_index: Callable[[str], str]
    encode: Callable[[Any], Any]
    readers: Mapping[object, Convert]


def checked(value: Any) -> Any:
    """Return `value`, if every store can hold it. Raises ValueError.

    Refused are U+0000 and half a surrogate pair, which PostgreSQL has not, and integers beyond ±2^53 and infinities,
    which D1 has not.
    """
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("a text holds U+0000")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("a text holds half a character") from None
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("a number is not finite")
    elif isinstance(value, int) and not -MOST_INTEGER <= value <= MOST_INTEGER:
        raise ValueError("an integer is beyond 2^53")
    return value


def time_text(time: datetime) -> str:
    """Return a time as D1 stores it: UTC, with microseconds, sortable."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _texts(text: str) -> frozenset[str]:
    return frozenset(json.loads(text))


def _sqlite_encode(value: Any) -> str | int | float | None:
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, bool):
        return int(value)
    return value  # type: ignore[no-any-return]


def _sqlite_json_rows(place: str, columns: Mapping[str, type]) -> str:
    return f"(SELECT {', '.join(f'value ->> {name!r} AS {name}' for name in columns)} FROM json_each({place}))"


def _postgres_encode(value: Any) -> str | None:
    """Everything goes as text, and the server finds the type by where it stands."""
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


_POSTGRES_TYPES: Mapping[type, str] = {str: "text", int: "bigint", bool: "boolean", datetime: "timestamptz"}


def _postgres_json_rows(place: str, columns: Mapping[str, type]) -> str:
    # A type's name behind each column; SQLite's is an expression, so the alias that both need is the caller's.
    listed = ", ".join(f"{name} {_POSTGRES_TYPES[kind]}" for name, kind in columns.items())
    return f"(SELECT * FROM jsonb_to_recordset({place}) AS listed ({listed}))"


# `int` also reads a sum that is cast to text: exact, where D1's number would be rounded beyond 2^53.
SQLITE = Dialect(
    name="sqlite",
    utc_day=lambda column: f"substr({column}, 1, 10)",
    day_start=lambda day: day,  # a day's text sorts before that of every time in it
    json_rows=_sqlite_json_rows,
    joined=lambda column: f"group_concat({column}, ' ')",
    by_index=lambda name: f" INDEXED BY {name}",
    encode=_sqlite_encode,
    readers={str: str, int: int, float: float, bool: bool, datetime: _time, frozenset[str]: _texts},
)
POSTGRES = Dialect(
    name="postgres",
    utc_day=lambda column: f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
    day_start=lambda day: f"(CAST({day} AS timestamp) AT TIME ZONE 'UTC')",
    json_rows=_postgres_json_rows,
    joined=lambda column: f"string_agg({column}, ' ')",
    by_index=lambda _: "",
    encode=_postgres_encode,
    readers={
        str: str, int: int, float: float, bool: lambda text: text == "t", datetime: _time, frozenset[str]: _texts
    },
)  # fmt: skip
