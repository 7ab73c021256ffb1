"""The gate of one organisation: the single place where a request to a model is opened and settled.

Pure logic over a small SQL port, so that the same code runs in the Durable Object and in a unit test. No method awaits:
a Durable Object runs one at a time, so each is atomic, and the platform holds back its answer until its writes are on
disk.

What is stored:
    meta      one row: the version of the organisation's policy (its keys and models)
    requests  one row a request that the store does not have yet. While it is under way, `deadline_ms` says until when,
              and `record` is what to charge if nobody settles it. Once settled, `deadline_ms` is null and the row is on
              its way to the store.
    rejected  records that the store will never take (a defect of ours): kept for a person, out of the others' way
"""

from __future__ import annotations

from typing import Any, Protocol

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS meta (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO meta VALUES (1, 1)",
    # One tree and no index: each request writes it twice; only the alarm reads it.
    "CREATE TABLE IF NOT EXISTS requests (id TEXT PRIMARY KEY, deadline_ms INT, record TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS rejected (id TEXT PRIMARY KEY, record TEXT NOT NULL)",
)
BATCH_ROWS = 200
FLUSH_AFTER_MS = 500

# One statement for a whole batch, and Python never parses it: `?1` is an array of [id, deadline or null, record].
# Opening a request that is known changes nothing. Settling one replaces it, also when it had been given up meanwhile.
_WRITE = (
    "INSERT INTO requests (id, deadline_ms, record)"
    " SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1) WHERE {which}"
    " ON CONFLICT (id) DO UPDATE SET deadline_ms = NULL, record = excluded.record WHERE excluded.deadline_ms IS NULL"
)
_WRITE_ALL = _WRITE.format(which="true")
_WRITE_SETTLED = _WRITE.format(which="value ->> 1 IS NULL")


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

    def handle(self, version: int, rows: str) -> int:
        """Open and settle requests; return the version of the organisation's policy.

        `rows` is a JSON array of `[id, deadline_ms, record]` to open a request and `[id, null, record]` to settle one.
        `version` is the policy by which the requests to open were judged. When it is not the current one, none of them
        is opened: their callers see that by the answer, read the policy again and ask again. Settling always works.
        A row may come twice; the second time changes nothing.
        """
        self._sql.run(_WRITE_ALL if version == self._version else _WRITE_SETTLED, rows)
        return int(self._version)

    def bump(self) -> int:
        """The organisation's keys or models have changed in the store: return the new version of its policy."""
        self._sql.run("UPDATE meta SET version = version + 1")
        self._version += 1
        return int(self._version)

    def expire(self, now_ms: int) -> None:
        """Give up requests past their deadline: the isolate that held them is gone.

        The record to charge was written when they were opened, so nothing is lost with the isolate.
        """
        self._sql.run("UPDATE requests SET deadline_ms = NULL WHERE deadline_ms <= ?", now_ms)

    def outbox(self) -> str | None:
        """Return settled records that the store does not have yet, as one JSON array, oldest first; None for none."""
        [[records]] = self._sql.run(
            "SELECT json_group_array(json(record)) FROM"
            " (SELECT record FROM requests WHERE deadline_ms IS NULL ORDER BY id LIMIT ?) HAVING count(*) > 0"
            " UNION ALL SELECT NULL LIMIT 1",
            BATCH_ROWS,
        )
        return None if records is None else str(records)

    def delivered(self, records: str) -> None:
        """Drop records that the store has. One that was corrected in the meantime (its cause tells) stays."""
        self._sql.run(
            "DELETE FROM requests WHERE id IN (SELECT requests.id FROM json_each(?) AS sent"
            " JOIN requests ON requests.id = sent.value ->> 'id' AND deadline_ms IS NULL"
            " AND requests.record ->> 'cause' = sent.value ->> 'cause')",
            records,
        )

    def reject(self, record: str) -> None:
        """Set one record (a JSON object) aside that the store refuses for good."""
        self._sql.run("INSERT OR REPLACE INTO rejected VALUES (?1 ->> 'id', ?1)", record)
        self.delivered(f"[{record}]")

    def next_alarm(self, now_ms: int) -> int | None:
        """Return when there is next something to do, or None."""
        if self._sql.run("SELECT 1 FROM requests WHERE deadline_ms IS NULL LIMIT 1"):
            return now_ms + FLUSH_AFTER_MS
        [[deadline]] = self._sql.run("SELECT min(deadline_ms) FROM requests")
        return None if deadline is None else max(int(deadline), now_ms + FLUSH_AFTER_MS)
