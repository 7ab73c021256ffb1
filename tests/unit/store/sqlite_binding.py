"""D1's binding over CPython's SQLite, with the real migrations: what D1 promises, and nothing that it does not."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from lib.store.d1 import D1Failure, D1Store
from lib.store.database import Database
from lib.store.session import Bound, Result
from tools.production.sqlite_limits import limit

MIGRATIONS = Path(__file__).parents[3] / "migrations"


class SqliteBinding:
    """Implements `lib.store.d1.D1Binding`: a batch is one transaction, and failures have D1's text."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.deserialize(migrated())
        self.connection.row_factory = sqlite3.Row
        self.connection.execute("PRAGMA foreign_keys = ON")
        limit(self.connection)
        self.statements: list[Bound] = []  # all that ran
        self.constraints: list[str] = []  # the sessions of read replication that were asked for
        self.on_batch: Callable[[], None] = lambda: None  # called before each batch runs
        self.size: int | None = None  # what it says that it holds, in bytes
        self.failure: str | None = None  # what the next batch fails with, before it does anything
        self.failure_after: str | None = None  # the same, but its work is done: only the answer is lost

    async def batch(self, statements: Sequence[Bound]) -> list[Result]:
        self.statements.extend(statements)
        self.on_batch()
        if self.failure is not None:
            message, self.failure = self.failure, None
            raise D1Failure(message)
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            results = [self._run(sql, values) for sql, values in statements]
        except BaseException as error:
            self.connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.IntegrityError):
                raise D1Failure(f"D1_ERROR: {error}: SQLITE_CONSTRAINT") from None
            if isinstance(error, sqlite3.Error):
                raise D1Failure(f"D1_ERROR: {error}: SQLITE_ERROR") from None
            raise
        self.connection.execute("COMMIT")
        if self.failure_after is not None:
            message, self.failure_after = self.failure_after, None
            raise D1Failure(message)
        return results

    def replicated(self, constraint: str) -> SqliteBinding:
        self.constraints.append(constraint)
        return self

    def bookmark(self) -> str | None:
        return "0000-01"

    def _run(self, sql: str, values: Sequence[Any]) -> Result:
        cursor = self.connection.execute(sql, values)
        rows = [{name: _through_javascript(row[name]) for name in row.keys()} for row in cursor.fetchall()]  # noqa: SIM118
        return Result(rows, max(cursor.rowcount, 0), self.size)

    def plans(self) -> dict[str, list[str]]:
        """Return each statement that ran with how SQLite goes about it, a line a step.

        Without the steps for foreign keys: those run only where one is violated.
        """
        self.connection.execute("PRAGMA foreign_keys = OFF")
        return {
            sql: [row["detail"] for row in self.connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()]
            for sql, values in self.statements
        }

    def rows(self, sql: str, *values: object) -> list[dict[str, object]]:
        """Return what a test wants to see, past the code under test."""
        return [dict(row) for row in self.connection.execute(sql, values).fetchall()]


def _through_javascript(value: object) -> object:
    """Return a column as it comes through the platform: there an integer is a double."""
    return int(float(value)) if isinstance(value, int) and abs(value) > 2**53 else value


@cache
def schema() -> str:
    """Return all migrations of D1 in their order."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(MIGRATIONS.glob("[0-9]*.sql")))


@cache
def migrated() -> bytes:
    """Return an empty, migrated database as SQLite keeps it: it is read forty times as fast as it is made."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(schema())
        return connection.serialize()


def new_store() -> tuple[D1Store, SqliteBinding]:
    """Return an empty, migrated store."""
    binding = SqliteBinding()
    return D1Store(binding, time.monotonic), binding


def new_database() -> tuple[Database, SqliteBinding]:
    """Return a database of an empty, migrated store."""
    store, binding = new_store()
    return store.open(), binding
