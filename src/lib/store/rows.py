"""Rows as frozen values: how SQLite's few types become Python's, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar, cast, get_args, get_type_hints, overload

from lib.store.database import Value

Row = TypeVar("Row")
Column = str | int | float | None


@overload
def to_column(value: datetime) -> str: ...
@overload
def to_column(value: Value) -> Column: ...
def to_column(value: Value) -> Column:
    """Return `value` as SQLite stores it: times as sortable UTC text with microseconds, booleans as 0 and 1."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
    if isinstance(value, bool):
        return int(value)
    return value


def decode(row_type: type[Row], row: Mapping[str, Any]) -> Row:
    """Return one row as a `row_type`. Raises KeyError when a column is missing: a defect in the SQL beside it."""
    return row_type(**{name: convert(row[name]) for name, convert in _converters(cast("Hashable", row_type))})


@cache
def _converters(row_type: Hashable) -> list[tuple[str, Callable[[Any], Any]]]:
    kind: Any = row_type
    hints = get_type_hints(kind)
    return [(field.name, _converter(hints[field.name])) for field in fields(kind)]


def _converter(hint: object) -> Callable[[Any], Any]:
    kinds = get_args(hint) or (hint,)
    if datetime in kinds:
        return lambda text: None if text is None else datetime.fromisoformat(text)
    if bool in kinds:
        return lambda number: None if number is None else bool(number)
    if hint == frozenset[str]:
        return lambda text: frozenset(json.loads(text))
    return lambda value: value
