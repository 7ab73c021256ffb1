"""A Durable Object's SQLite over CPython's."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from tools.production.sqlite_limits import limit


class Died(Exception):
    """The storage fails where a test wants it to."""


class SqliteSql:
    """Implements `lib.admission.gate_sql.Sql` as `lib.runtime.objects.gate_object` does: only a SELECT has rows.

    `dies_after` is how many more statements run: the one behind them fails, once.
    """

    def __init__(self) -> None:
        self.connection = limit(sqlite3.connect(":memory:", isolation_level=None))
        self.statements = 0
        self.dies_after: int | None = None

    def run(self, sql: str, *values: str | int) -> list[list[Any]]:
        self.statements += 1
        if self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after < 0:
                self.dies_after = None
                raise Died
        cursor = self.connection.execute(sql, values)
        return [list(row) for row in cursor.fetchall()] if sql.startswith("SELECT") else []

    def atomically(self, work: Callable[[], None]) -> None:
        self.connection.execute("SAVEPOINT whole")
        try:
            work()
        except BaseException:
            self.connection.execute("ROLLBACK TO whole")
            raise
        finally:
            self.connection.execute("RELEASE whole")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what a test wants to see, past the code under test."""
        return self.connection.execute(sql).fetchall()
