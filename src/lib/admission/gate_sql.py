"""What a gate keeps in its SQLite, and the statements that change it.

meta          one row: the version of the organisation's policy (its keys, models, limits and budgets)
policy        one row: the limits and budgets, as `rules.parse_policy` reads them
journal       the calls of `Gate.handle` that are not in the tables below yet, as they came: when, whether their
              openings were judged by the current policy, and the rows
requests      one row a request that the store does not have yet. While it is under way, `deadline_ms` says until
              when, and `record` is what to charge if nobody settles it. Once settled, `deadline_ms` is null and the
              row is on its way to the store.
rejected      records that the store will never take (a defect of ours): kept for a person, out of the others' way
counts        what each rule has counted, by subject and slot (see `rate.py` and `budget.py`)
reservations  what a call that some rule concerns was given. `charged` is null while it is under way; `final` is 0
              where it was given up, and so may be corrected yet. Kept for a day, so that nothing is settled twice.
"""

from __future__ import annotations

from typing import Any, Protocol


class Sql(Protocol):
    """SQLite, synchronous, inside one transaction a call."""

    def run(self, sql: str, *values: str | int) -> list[list[Any]]: ...


SCHEMA = (
    "CREATE TABLE IF NOT EXISTS meta (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO meta VALUES (1, 1)",
    "CREATE TABLE IF NOT EXISTS journal (seq INTEGER PRIMARY KEY, at_ms INT, current INT, rows TEXT NOT NULL)",
    # One tree and no index: each request writes it twice; only the alarm reads it.
    "CREATE TABLE IF NOT EXISTS requests (id TEXT PRIMARY KEY, deadline_ms INT, record TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS rejected (id TEXT PRIMARY KEY, record TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS policy (one INTEGER PRIMARY KEY CHECK (one = 1), text TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS counts (
        rule TEXT, subject TEXT, slot INT, amount INT NOT NULL, PRIMARY KEY (rule, subject, slot)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS reservations (
        id TEXT PRIMARY KEY, held TEXT NOT NULL, charged INT, final INT NOT NULL, until_ms INT NOT NULL
    ) WITHOUT ROWID""",
)

# Opening a request that is known changes nothing. Settling one replaces it, also when it had been given up meanwhile.
_INTO_REQUESTS = (
    "INSERT INTO requests (id, deadline_ms, record)"
    " SELECT sent.value ->> 0, sent.value ->> 1, sent.value ->> 2 FROM {source} WHERE {which}"
    " ON CONFLICT (id) DO UPDATE SET deadline_ms = NULL, record = excluded.record WHERE excluded.deadline_ms IS NULL"
)
# One statement for a whole batch, and Python never parses it: `?1` is an array of [id, deadline or null, record].
WRITE_ALL = _INTO_REQUESTS.format(source="json_each(?1) AS sent", which="true")
WRITE_SETTLED = _INTO_REQUESTS.format(source="json_each(?1) AS sent", which="sent.value ->> 1 IS NULL")

NOTE = "INSERT INTO journal (at_ms, current, rows) VALUES (?, ?, ?)"
READ_JOURNAL = "SELECT at_ms, current, rows FROM journal ORDER BY seq"
# `?1`: the places, [call, row], of those that are not to be written; both are counted from 0.
FOLD = _INTO_REQUESTS.format(
    source="(SELECT row_number() OVER (ORDER BY seq) - 1 AS call, rows FROM journal) AS noted, json_each(rows) AS sent",
    which="(noted.call, sent.key) NOT IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))"
    " ORDER BY noted.call, sent.key",
)
CLEAR_JOURNAL = "DELETE FROM journal"

KEEP_COUNTS = (
    "INSERT INTO counts SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1) WHERE true"
    " ON CONFLICT (rule, subject, slot) DO UPDATE SET amount = excluded.amount"
)
DROP_COUNTS = (
    "DELETE FROM counts WHERE (rule, subject, slot) IN"
    " (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1))"
)
FORGET = "DELETE FROM counts WHERE (rule, subject) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))"
# An amount may be beyond what a number of JavaScript holds.
READ_COUNTS = "SELECT rule, subject, slot, CAST(amount AS TEXT) FROM counts"

KEEP_RESERVATIONS = (
    "INSERT INTO reservations SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?1)"
    " WHERE true ON CONFLICT (id) DO UPDATE SET charged = excluded.charged, final = excluded.final,"
    " until_ms = excluded.until_ms"
)
READ_HELD = "SELECT id, held FROM reservations WHERE charged IS NULL"
READ_PLACES = "SELECT id, held FROM reservations WHERE id IN (SELECT value FROM json_each(?1))"
# A cost may be beyond what a number of JavaScript holds.
READ_REMEMBERED = (
    "SELECT id, held, CAST(charged AS TEXT) FROM reservations WHERE charged > 0 AND id > ? ORDER BY id LIMIT ?"
)
READ_ENDED = (
    "SELECT id, held, charged, final FROM reservations"
    " WHERE charged IS NOT NULL AND id IN (SELECT value FROM json_each(?1))"
)

OVERDUE = "SELECT id, record ->> 'cost_nano_usd' FROM requests WHERE deadline_ms <= ?"
# `?1` is an array of [id, cost].
CHARGE = (
    "UPDATE requests SET record = json_set(record, '$.cost_nano_usd', charged.cost)"
    " FROM (SELECT value ->> 0 AS id, value ->> 1 AS cost FROM json_each(?1)) AS charged"
    " WHERE requests.id = charged.id"
)
