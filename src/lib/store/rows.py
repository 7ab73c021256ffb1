"""Rows as frozen values: each column becomes what its field's type says."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields
from functools import cache
from types import NoneType
from typing import Any, TypeVar, cast, get_args, get_type_hints

from lib.store.dialect import Convert, Dialect

Row = TypeVar("Row")


def columns(row_type: type[Any]) -> str:
    """Return the columns of a `row_type` as a SELECT lists them."""
    return ", ".join(field.name for field in fields(row_type))


def decoder(row_type: type[Row], dialect: Dialect) -> Callable[[Mapping[str, Any]], Row]:
    """Return what turns a row of this dialect into a `row_type`, by column name.

    It raises KeyError when a column is missing: a defect in the SQL beside it.
    """
    converters = _converters(cast("Hashable", row_type), dialect)

    def decode(row: Mapping[str, Any]) -> Row:
        return row_type(**{name: None if row[name] is None else convert(row[name]) for name, convert in converters})

    return decode


@cache
def _converters(row_type: Hashable, dialect: Dialect) -> list[tuple[str, Convert]]:
    kind: Any = row_type
    hints = get_type_hints(kind)
    return [(field.name, _converter(hints[field.name], dialect)) for field in fields(kind)]


def _converter(hint: Any, dialect: Dialect) -> Convert:
    """Return the reader of a column's type, with or without `| None`. Raises KeyError for a type that no column has."""
    readers = dialect.readers
    kinds = [kind for kind in get_args(hint) if kind is not NoneType] if hint not in readers else [hint]
    if len(kinds) != 1:
        raise KeyError(hint)
    return readers[kinds[0]]
