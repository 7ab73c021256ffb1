"""The Database port on D1 (https://developers.cloudflare.com/d1/worker-api/)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from lib.store.database import (
    CheckViolation,
    ForeignKeyViolation,
    NotNullViolation,
    Statement,
    StoreError,
    StoreUnavailable,
    UniqueViolation,
    Value,
)
from lib.store.rows import Column, decode, to_column

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class D1Result:
    """What one statement gave: its rows by column name, and how many it changed."""

    rows: Sequence[Mapping[str, Any]]
    changes: int


class D1Failure(Exception):
    """D1 said no; the message is SQLite's own."""


class D1Binding(Protocol):
    """The platform's side: bind, run as one atomic batch, and hand the results over. Raises D1Failure."""

    async def batch(self, statements: Sequence[tuple[str, Sequence[Column]]]) -> list[D1Result]: ...


class D1Database:
    """Every statement goes through `batch`, which D1 runs as one transaction."""

    def __init__(self, binding: D1Binding) -> None:
        self._binding = binding

    async def query(self, row_type: type[Row], sql: str, *values: Value) -> list[Row]:
        [result] = await self._run([Statement(sql, values)])
        return [decode(row_type, row) for row in result.rows]

    async def one(self, row_type: type[Row], sql: str, *values: Value) -> Row | None:
        rows = await self.query(row_type, sql, *values)
        return rows[0] if rows else None

    async def execute(self, sql: str, *values: Value) -> int:
        [changes] = await self.batch([Statement(sql, values)])
        return changes

    async def batch(self, statements: Sequence[Statement]) -> list[int]:
        return [result.changes for result in await self._run(statements)]

    async def _run(self, statements: Sequence[Statement]) -> list[D1Result]:
        bound = [(statement.sql, [to_column(value) for value in statement.values]) for statement in statements]
        try:
            return await self._binding.batch(bound)
        except D1Failure as failure:
            raise _typed(str(failure)) from failure


# SQLite's messages, which D1 passes on: https://www.sqlite.org/rescode.html#constraint
_VIOLATIONS: tuple[tuple[str, type[StoreError]], ...] = (
    ("UNIQUE constraint failed", UniqueViolation),
    ("FOREIGN KEY constraint failed", ForeignKeyViolation),
    ("CHECK constraint failed", CheckViolation),
    ("NOT NULL constraint failed", NotNullViolation),
    ("cannot store", CheckViolation),  # a STRICT table got a value of another type
)
# A statement that is wrong will be wrong again; everything else that D1 reports is its own trouble and may pass.
_DEFECTS = ("syntax error", "no such table", "no such column", "SQLITE_ERROR", "D1_TYPE_ERROR")


def _typed(message: str) -> StoreError:
    for part, error in _VIOLATIONS:
        if part in message:
            return error(message)
    if any(part in message for part in _DEFECTS):
        return StoreError(message)
    return StoreUnavailable(message)
