"""A schema as both dialects can tell it, in the words of PostgreSQL."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    not_null: bool
    default: str | None


@dataclass(frozen=True)
class ForeignKey:
    columns: tuple[str, ...]
    table: str
    to: tuple[str, ...]
    on_update: str
    on_delete: str


@dataclass(frozen=True)
class Index:
    name: str
    unique: bool
    columns: tuple[str, ...]
    where: str


@dataclass(frozen=True)
class Table:
    """What must be the same on both sides. Columns are in order; the rest has none."""

    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    unique: frozenset[tuple[str, ...]]
    foreign_keys: frozenset[ForeignKey]
    indexes: frozenset[Index]
    checks: tuple[str, ...]


def normal(expression: str) -> str:
    """A condition without what the dialects write differently: casts, spaces, parentheses, and two spellings."""
    text = re.sub(r"::[a-z]+(\[\])?", "", expression)
    text = re.sub(r"(\w+(?:\(\w+\))?) BETWEEN (\d+) AND (\d+)", r"\1 >= \2 AND \1 <= \3", text)
    text = re.sub(r"= ANY \(+ARRAY\[(.*?)\]\)+", r"IN (\1)", text, flags=re.DOTALL)
    return re.sub(r"[\s()]", "", text)
