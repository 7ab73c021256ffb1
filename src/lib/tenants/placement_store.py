"""Which jurisdiction a deployment's Durable Objects were first made in, on the disk of the object that remembers it."""

from __future__ import annotations

from lib.defence.guessing_store import Sql


def first_told(sql: Sql, jurisdiction: str) -> str:
    """Return the jurisdiction that was told first: this one, where none was."""
    sql.run("CREATE TABLE IF NOT EXISTS placement (id INTEGER PRIMARY KEY, jurisdiction TEXT NOT NULL)")
    sql.run("INSERT OR IGNORE INTO placement VALUES (1, ?)", jurisdiction)
    [[first]] = sql.run("SELECT jurisdiction FROM placement")
    return str(first)
