"""What an object of the guard keeps on its disk: one row, and nothing before there is something to remember.

Whoever tries an address makes an object for it. One without a table is nothing to the platform once it sleeps; one with
a table, though it were empty, would stay for ever.
"""

from __future__ import annotations

from typing import Any, Protocol

from lib.defence.guessing import Attempts, Rule

_THERE = "SELECT name FROM sqlite_master WHERE name = 'attempts'"
_MAKE = "CREATE TABLE IF NOT EXISTS attempts (id INTEGER PRIMARY KEY, text TEXT NOT NULL)"


class Sql(Protocol):
    """The object's own SQLite."""

    def run(self, sql: str, *values: str | int) -> list[list[Any]]:
        """Run one statement; return the rows of a SELECT."""
        ...


class AttemptsTable:
    """Attempts on disk."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    @property
    def is_there(self) -> bool:
        """Tell whether anything is on disk. A table without a row is what an earlier version left behind."""
        return bool(self._sql.run(_THERE))

    def read(self, rule: Rule) -> Attempts:
        """Return what was remembered."""
        rows = self._sql.run("SELECT text FROM attempts") if self.is_there else []
        return Attempts.from_json(rule, rows[0][0]) if rows else Attempts(rule)

    def write(self, attempts: Attempts) -> None:
        """Remember it in place of what was."""
        self._sql.run(_MAKE)  # the alarm may have dropped it
        self._sql.run("INSERT OR REPLACE INTO attempts (id, text) VALUES (1, ?)", attempts.to_json())
