"""A Durable Object's SQLite over CPython's."""

from __future__ import annotations

import sqlite3
from typing import Any

from tools.production.sqlite_limits import limit


class SqliteSql:
    """Implements `lib.admission.gate.Sql` as `lib.runtime.gate_object` does: rows come back only from a SELECT."""

    def __init__(self) -> None:
        self.connection = limit(sqlite3.connect(":memory:", isolation_level=None))

    def run(self, sql: str, *values: str | int) -> list[list[Any]]:
        cursor = self.connection.execute(sql, values)
        return [list(row) for row in cursor.fetchall()] if sql.startswith("SELECT") else []

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what a test wants to see, past the code under test."""
        return self.connection.execute(sql).fetchall()
