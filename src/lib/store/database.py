"""The store as the services see it: the Database port, its statements, and its errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

Row = TypeVar("Row")
Value = str | int | float | bool | datetime | None


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL text with `?` places, and the values bound to them. Identifiers never come from input."""

    sql: str
    values: tuple[Value, ...] = ()


class Database(Protocol):
    """What D1 can keep, and so what the application may rely on.

    There is no interactive transaction: a group of statements is sent whole, and all of it happens or none. A rule that
    spans statements is written into the statements themselves. Every method raises the errors below.
    """

    async def query(self, row_type: type[Row], sql: str, *values: Value) -> list[Row]:
        """Return all rows as values of `row_type`, a frozen dataclass with a field per column; [] when none match."""
        ...

    async def one(self, row_type: type[Row], sql: str, *values: Value) -> Row | None:
        """Return the first row, or None."""
        ...

    async def execute(self, sql: str, *values: Value) -> int:
        """Run one statement and return how many rows it changed."""
        ...

    async def batch(self, statements: Sequence[Statement]) -> list[int]:
        """Run all statements in order, atomically; return how many rows each changed."""
        ...


class StoreError(Exception):
    """The store refused or failed."""


class UniqueViolation(StoreError):
    """A row with this key exists."""


class ForeignKeyViolation(StoreError):
    """A row that this one names does not exist, or is still named by another."""


class CheckViolation(StoreError):
    """A value breaks a CHECK."""


class NotNullViolation(StoreError):
    """A column that must have a value has none."""


class StoreUnavailable(StoreError):
    """The store can't be reached, or did not answer in time."""
