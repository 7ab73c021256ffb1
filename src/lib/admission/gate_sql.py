"""What a gate keeps in its SQLite, and the statements that change it.

about         facts by name: the `format` of all of this, whose gate it is (`org`), what limits were before they were
              changed (`before`), where the alarm looks next for counts that are over (`swept`), and the last event
              of the audit log that is known (`event`). Not columns of `meta`: an older release writes that table
              whole, and has to work when one goes back to it
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

from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any, Protocol

from pydantic_core import to_json

# How the tables and the journal are to be read, as SCHEMA writes it. It goes up when an older release would read them
# wrongly. A gate is written as 1 until a region leases from it, which a release before 2 would not count.
FORMAT = 2
ORG_ID_CHARACTERS = 36
# What a statement takes at once. SQLite has no text longer than 2 MB: https://developers.cloudflare.com/durable-objects/platform/limits/
PIECE_ROWS = 200
PIECE_BYTES = 500_000
OLDEST_ROWS, MOST_LOOKS = 20, 100  # of calls that are remembered: how many are looked at, and how often in one alarm
DAY_MS = 24 * 3_600_000

LEASED_FROM = "UPDATE about SET value = '2' WHERE name = 'format'"


class Sql(Protocol):
    """SQLite, synchronous."""

    def run(self, sql: str, *values: str | int) -> list[list[Any]]: ...

    def atomically(self, work: Callable[[], None]) -> None:
        """Do all of this work, or, where it raises, nothing of it."""
        ...


class UnknownFormat(Exception):
    """A later release has written this gate: this one must not touch it, and loses nothing of it."""


class WrongName(Exception):
    """It is not known whose gate this is."""


SCHEMA = (
    "CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "INSERT OR IGNORE INTO about VALUES ('format', '1')",
    "CREATE TABLE IF NOT EXISTS meta (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO meta VALUES (1, 1)",
    "CREATE TABLE IF NOT EXISTS journal (seq INTEGER PRIMARY KEY, at_ms INT, current INT, rows TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS requests (id TEXT PRIMARY KEY, deadline_ms INT, record TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS rejected (id TEXT PRIMARY KEY, record TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS policy (one INTEGER PRIMARY KEY CHECK (one = 1), text TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS counts (
        rule TEXT, subject TEXT, slot INT, amount INT NOT NULL, PRIMARY KEY (rule, subject, slot)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS reservations (
        id TEXT PRIMARY KEY, held TEXT NOT NULL, charged INT, final INT NOT NULL, until_ms INT NOT NULL
    ) WITHOUT ROWID""",
    # The calls that are under way. One that ends before it is folded never comes here.
    "CREATE INDEX IF NOT EXISTS requests_under_way ON requests (deadline_ms) WHERE deadline_ms IS NOT NULL",
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

NOTE = "INSERT INTO journal (seq, at_ms, current, rows) VALUES (?, ?, ?, ?)"
# A few at a time: a row may be as long as a text may be.
READ_JOURNAL = "SELECT seq, at_ms, current, rows FROM journal WHERE seq > ? ORDER BY seq LIMIT 4"
# Up to the call `?1`. `?2`: the places, [call, row], of those that are not to be written; rows are counted from 0.
FOLD = _INTO_REQUESTS.format(
    source="journal, json_each(rows) AS sent",
    which="seq <= ?1 AND (seq, sent.key) NOT IN (SELECT value ->> 0, value ->> 1 FROM json_each(?2))"
    " ORDER BY seq, sent.key",
)
CLEAR_JOURNAL = "DELETE FROM journal WHERE seq <= ?"

KEEP_COUNTS = (
    "INSERT INTO counts SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1) WHERE true"
    " ON CONFLICT (rule, subject, slot) DO UPDATE SET amount = excluded.amount"
)
DROP_COUNTS = (
    "DELETE FROM counts WHERE (rule, subject, slot) IN"
    " (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1))"
)
# An amount may be beyond what a number of JavaScript holds. `?1`: the places, [rule, subject].
READ_COUNTS = (
    "SELECT counts.rule, counts.subject, slot, CAST(amount AS TEXT) FROM json_each(?1) AS wanted"
    " CROSS JOIN counts ON counts.rule = wanted.value ->> 0 AND counts.subject = wanted.value ->> 1"
)
FORGET_RULE = "DELETE FROM counts WHERE rule IN (SELECT value FROM json_each(?))"
# A page of slots of one rule, and of all.
SLOTS_OF = "SELECT subject, slot FROM counts WHERE rule = ?1 AND subject > ?2 ORDER BY subject, slot LIMIT ?3"
SLOTS = (
    "SELECT rule, subject, slot, CAST(amount AS TEXT) FROM counts WHERE (rule, subject, slot) > (?1, ?2, ?3)"
    " ORDER BY rule, subject, slot LIMIT ?4"
)

KEEP_RESERVATIONS = (
    "INSERT INTO reservations SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?1)"
    " WHERE true ON CONFLICT (id) DO UPDATE SET charged = excluded.charged, final = excluded.final,"
    " until_ms = excluded.until_ms"
)
# Of a call that is under way its record waits here. What has none was never let in: an older release could fail between
# the two, and nobody would ever have given it up.
READ_HELD = (
    "SELECT requests.id, held FROM requests CROSS JOIN reservations ON reservations.id = requests.id"
    " WHERE deadline_ms IS NOT NULL AND charged IS NULL"
)
READ_PLACES = "SELECT id, held FROM reservations WHERE id IN (SELECT value FROM json_each(?1))"
# A cost may be beyond what a number of JavaScript holds.
READ_REMEMBERED = (
    "SELECT id, held, CAST(charged AS TEXT) FROM reservations WHERE charged > 0 AND id > ? ORDER BY id LIMIT ?"
)
READ_ENDED = (
    "SELECT id, held, charged, final FROM reservations"
    " WHERE charged IS NOT NULL AND id IN (SELECT value FROM json_each(?1))"
)

OVERDUE = "SELECT id, CAST(record ->> 'cost_nano_usd' AS TEXT) FROM requests WHERE deadline_ms <= ? LIMIT 200"
# `?1` is an array of [id, cost].
CHARGE = (
    "UPDATE requests SET record = json_set(record, '$.cost_nano_usd', charged.cost)"
    " FROM (SELECT value ->> 0 AS id, value ->> 1 AS cost FROM json_each(?1)) AS charged"
    " WHERE requests.id = charged.id"
)
GIVE_UP = "UPDATE requests SET deadline_ms = NULL WHERE id IN (SELECT value FROM json_each(?))"
# The oldest by their ids, which tell when they began. No index: it would be written with each call, to save the alarm a
# few rows.
OLDEST = "SELECT id, until_ms, charged IS NULL FROM reservations WHERE id > ? ORDER BY id LIMIT ?"
FORGET_CALLS = "DELETE FROM reservations WHERE id IN (SELECT value FROM json_each(?))"

# `?1`: those that are under way to the store. `?2`: what comes behind this id.
SETTLED = (
    "SELECT id, record FROM requests WHERE deadline_ms IS NULL AND id > ?2"
    " AND id NOT IN (SELECT value FROM json_each(?1)) ORDER BY id LIMIT ?3"
)
ANY_SETTLED = "SELECT 1 FROM requests WHERE deadline_ms IS NULL AND id NOT IN (SELECT value FROM json_each(?)) LIMIT 1"
NEXT_DEADLINE = "SELECT min(deadline_ms) FROM requests WHERE deadline_ms IS NOT NULL"
# One that was corrected in the meantime (its cause tells) stays.
DELIVERED = (
    "DELETE FROM requests WHERE id IN (SELECT requests.id FROM json_each(?) AS sent"
    " JOIN requests ON requests.id = sent.value ->> 'id' AND deadline_ms IS NULL"
    " AND requests.record ->> 'cause' = sent.value ->> 'cause')"
)


def prepare(sql: Sql) -> None:
    """Make the tables that are missing. Raises UnknownFormat."""
    for statement in SCHEMA:
        sql.run(statement)
    [[format_]] = sql.run("SELECT CAST(value AS INT) FROM about WHERE name = 'format'")
    if format_ > FORMAT:
        raise UnknownFormat(f"The gate's storage has the format {format_}; this release reads {FORMAT} at most.")


def organisation_of(sql: Sql, told: str | None) -> str:
    """Return whose gate this is: `told` by the platform, or as it was told before. Raises WrongName.

    That is an organisation's id, and of a region's gate `@` and the region behind it.

    An alarm may come without a name: https://developers.cloudflare.com/changelog/post/2026-03-15-durable-object-id-name/
    """
    known = [str(row[0]) for row in sql.run("SELECT value FROM about WHERE name = 'org'")]
    name = told or next(iter(known), "")
    if len(name.partition("@")[0]) != ORG_ID_CHARACTERS or known not in ([], [name]):
        raise WrongName(f"{name[:ORG_ID_CHARACTERS]!r} is not the id of the organisation of this gate.")
    if not known:
        sql.run("INSERT INTO about VALUES ('org', ?)", name)
    return name


def pieces(items: Sequence[object]) -> Iterator[str]:
    """Yield JSON arrays of all items, in their order, none of them longer than a statement takes."""
    for start in range(0, len(items), PIECE_ROWS):
        yield from _halves(items[start : start + PIECE_ROWS])


def write(sql: Sql, statement: str, items: Sequence[object]) -> None:
    """Run a statement on all of these, as many at once as it takes."""
    for piece in pieces(items):
        sql.run(statement, piece)


def forget_calls(sql: Sql, now_ms: int, held: Container[str]) -> None:
    """Forget calls that ended a day ago, the oldest first, and no more than an alarm has time for.

    One that is open and not `held` is none: see READ_HELD.
    """
    after = ""
    for _ in range(MOST_LOOKS):
        oldest = sql.run(OLDEST, after, OLDEST_ROWS)
        over = [name for name, until, is_open in oldest if name not in held and until + is_open * DAY_MS <= now_ms]
        write(sql, FORGET_CALLS, over)
        if len(over) < OLDEST_ROWS // 2:  # one that lasts does not hold up all others
            return
        after = oldest[-1][0]


def _halves(items: Sequence[object]) -> Iterator[str]:
    text = to_json(items)
    if len(text) <= PIECE_BYTES or len(items) == 1:
        yield text.decode()
        return
    half = len(items) // 2
    yield from _halves(items[:half])
    yield from _halves(items[half:])
