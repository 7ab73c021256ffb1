"""Tables in memory that can't grow without end."""

from __future__ import annotations

from typing import TypeVar

Name = TypeVar("Name")
Value = TypeVar("Value")


def keep(table: dict[Name, Value], name: Name, value: Value, most: int) -> None:
    """Put an entry at the end; the first, used longest ago, makes room."""
    table.pop(name, None)
    if len(table) >= most:
        table.pop(next(iter(table)))
    table[name] = value
