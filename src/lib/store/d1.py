"""The Database port on D1 (https://developers.cloudflare.com/d1/worker-api/)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from lib.store.database import (
    CheckViolation,
    Database,
    ForeignKeyViolation,
    NotNullViolation,
    Read,
    StoreError,
    StoreTimeout,
    StoreUnavailable,
    UniqueViolation,
)
from lib.store.dialect import SQLITE
from lib.store.session import STATEMENT_SECONDS, Bound, Result, Session, Timer
from lib.store.tenancy import check_scope
from lib.store.tenant import Tenant


class D1Failure(Exception):
    """D1 said no; the message is SQLite's own."""


class D1Binding(Protocol):
    """The platform's side: bind, run as one atomic batch, and hand the results over. Raises D1Failure."""

    async def batch(self, statements: Sequence[Bound]) -> list[Result]: ...

    def replicated(self, constraint: str) -> D1Replicas:
        """Return a session of read replication, from a bookmark or `first-primary` on."""
        ...


class D1Replicas(Protocol):
    """One session of read replication (https://developers.cloudflare.com/d1/best-practices/read-replication/)."""

    async def batch(self, statements: Sequence[Bound]) -> list[Result]: ...

    def bookmark(self) -> str | None:
        """Return how far this session has seen."""
        ...


class D1Store:
    """Databases on one D1 binding."""

    def __init__(self, binding: D1Binding, timer: Timer, statement_seconds: float = STATEMENT_SECONDS) -> None:
        self._binding = binding
        self._timer = timer
        self._seconds = statement_seconds

    def open(self, bookmark: str | None = None) -> Database:
        return D1Database(self._binding, self._timer, self._seconds, bookmark)


class D1Database(Session):
    """Every statement goes through `batch`, which D1 runs as one transaction."""

    dialect = SQLITE

    def __init__(self, binding: D1Binding, timer: Timer, seconds: float, bookmark: str | None) -> None:
        super().__init__(timer)
        self._binding = binding
        self._seconds = seconds
        self._presented = bookmark
        self._replicas: D1Replicas | None = None

    @property
    def bookmark(self) -> str | None:
        return self._replicas.bookmark() if self._replicas else None

    async def _run(self, scope: Tenant, statements: Sequence[Bound], read: Read) -> list[Result]:
        for sql, values in statements:
            check_scope(scope, sql, values)
        try:
            return await asyncio.wait_for(self._way(statements, read).batch(statements), self._seconds)
        except TimeoutError:
            raise StoreTimeout(f"D1 did not answer within {self._seconds} s") from None
        except D1Failure as failure:
            raise _typed(str(failure)) from failure

    def _way(self, statements: Sequence[Bound], read: Read) -> D1Binding | D1Replicas:
        """Choose between the primary and a session.

        A write goes through a session, which always takes it to the primary: only so is there a bookmark to hand out.
        """
        reads = all(sql.startswith("SELECT") for sql, _ in statements)
        if reads and (read is Read.LATEST or not (self._presented or self._replicas)):
            return self._binding
        if self._replicas is None:
            self._replicas = self._binding.replicated(self._presented or "first-primary")
        return self._replicas


# SQLite's messages, which D1 passes on: https://www.sqlite.org/rescode.html#constraint
_VIOLATIONS: tuple[tuple[str, type[StoreError]], ...] = (
    ("UNIQUE constraint failed", UniqueViolation),
    ("FOREIGN KEY constraint failed", ForeignKeyViolation),
    ("CHECK constraint failed", CheckViolation),
    ("NOT NULL constraint failed", NotNullViolation),
    ("cannot store", CheckViolation),  # a STRICT table got a value of another type
)
# A statement that is wrong will be wrong again; everything else that D1 reports is its own trouble and may pass.
_DEFECTS = ("syntax error", "no such table", "no such column", "SQLITE_ERROR", "D1_TYPE_ERROR", "parameter bindings")


def _typed(message: str) -> StoreError:
    for part, error in _VIOLATIONS:
        if part in message:
            return error(message)
    if any(part in message for part in _DEFECTS):
        return StoreError(message)
    return StoreUnavailable(message)
