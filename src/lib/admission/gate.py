"""The gate of one organisation: the single place where a request to a model is opened and settled.

Pure logic over a small SQL port, so that the same code runs in the Durable Object and in a unit test. No method awaits:
a Durable Object runs one at a time, so each is atomic, and the platform holds back its answer until its writes are on
disk.

What is stored:
    meta      one row: the version of the organisation's policy (its keys and models)
    open      requests under way: what to charge if nobody settles them, and until when they may
    outbox    finished records on their way to the store; a row leaves once the store has it
    rejected  records that the store will never take (a defect of ours): kept for a person, out of the others' way
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS meta (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO meta VALUES (1, 1)",
    "CREATE TABLE IF NOT EXISTS open (id TEXT PRIMARY KEY, deadline_ms INTEGER NOT NULL, record TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS open_by_deadline ON open (deadline_ms)",
    "CREATE TABLE IF NOT EXISTS outbox (id TEXT PRIMARY KEY, record TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS rejected (id TEXT PRIMARY KEY, record TEXT NOT NULL)",
)
BATCH_ROWS = 200
FLUSH_AFTER_MS = 500

Message = Sequence[Any]
Answer = dict[str, Any]


class Sql(Protocol):
    """SQLite, synchronous, inside one transaction a call."""

    def run(self, sql: str, *values: str | int) -> list[list[Any]]: ...


class Gate:
    """State and rules of one gate. Times are milliseconds since 1970."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        for statement in SCHEMA:
            sql.run(statement)
        [[self._version]] = sql.run("SELECT version FROM meta")

    def handle(self, messages: Sequence[Message]) -> list[Answer]:
        """Take messages in order and answer each. A message may come twice; the second time changes nothing.

        `["open", id, policy_version, deadline_ms, record]` answers `{"ok": true}`, or `{"stale": version}` when the
        caller decided by an older policy (or by none, null): it must read it again and ask again.
        `["settle", id, record]` answers `{"ok": true}`. `record` is the JSON text of a usage record.
        """
        return [self._open(*rest) if kind == "open" else self._settle(*rest) for kind, *rest in messages]

    def bump(self) -> int:
        """The organisation's keys or models have changed in the store: return the new version of its policy."""
        self._sql.run("UPDATE meta SET version = version + 1")
        self._version += 1
        return int(self._version)

    def _open(self, request_id: str, version: int | None, deadline_ms: int, record: str) -> Answer:
        if version != self._version:
            return {"stale": self._version}
        self._sql.run("INSERT OR IGNORE INTO open VALUES (?, ?, ?)", request_id, deadline_ms, record)
        return {"ok": True}

    def _settle(self, request_id: str, record: str) -> Answer:
        self._sql.run("DELETE FROM open WHERE id = ?", request_id)
        # A settlement that comes after its request was given up replaces that record, here or (see usage_store) there.
        self._sql.run("INSERT OR REPLACE INTO outbox VALUES (?, ?)", request_id, record)
        return {"ok": True}

    def expire(self, now_ms: int) -> int:
        """Give up requests past their deadline: the isolate that held them is gone. Return how many there were.

        The record to charge was written when they were opened, so nothing is lost with the isolate.
        """
        overdue = self._sql.run("SELECT id, record FROM open WHERE deadline_ms <= ? LIMIT ?", now_ms, BATCH_ROWS)
        for request_id, record in overdue:
            self._settle(request_id, record)
        return len(overdue)

    def outbox(self) -> list[tuple[str, str]]:
        """Return the oldest records that the store does not have yet, as (id, JSON text); at most BATCH_ROWS."""
        return [
            (row[0], row[1]) for row in self._sql.run("SELECT id, record FROM outbox ORDER BY id LIMIT ?", BATCH_ROWS)
        ]

    def delivered(self, records: Sequence[tuple[str, str]]) -> None:
        """Drop records that the store has. One that was corrected in the meantime stays."""
        pairs = json.dumps(records)
        self._sql.run(
            "DELETE FROM outbox WHERE EXISTS (SELECT 1 FROM json_each(?) AS pair"
            " WHERE outbox.id = pair.value ->> 0 AND outbox.record = pair.value ->> 1)",
            pairs,
        )

    def reject(self, request_id: str, record: str) -> None:
        """Set one record aside that the store refuses for good."""
        self._sql.run("INSERT OR REPLACE INTO rejected VALUES (?, ?)", request_id, record)
        self.delivered([(request_id, record)])

    def next_alarm(self, now_ms: int) -> int | None:
        """Return when there is next something to do, or None."""
        if self._sql.run("SELECT 1 FROM outbox LIMIT 1"):
            return now_ms + FLUSH_AFTER_MS
        [[deadline]] = self._sql.run("SELECT min(deadline_ms) FROM open")
        return None if deadline is None else max(int(deadline), now_ms + FLUSH_AFTER_MS)
