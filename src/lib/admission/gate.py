"""The gate of one organisation: the single place where a request to a model is let in, opened and settled.

Pure logic over a small SQL port, so that the same code runs in the Durable Object and in a unit test. No method awaits:
a Durable Object runs one at a time, so each is atomic, and the platform holds back its answer until its writes are on
disk. So a decision, what it reserves, and the record of the call are written together or not at all.

What is stored:
    meta          one row: the version of the organisation's policy (its keys, models, limits and budgets)
    policy        one row: the limits and budgets, as `rules.parse_policy` reads them
    requests      one row a request that the store does not have yet. While it is under way, `deadline_ms` says until
                  when, and `record` is what to charge if nobody settles it. Once settled, `deadline_ms` is null and the
                  row is on its way to the store.
    rejected      records that the store will never take (a defect of ours): kept for a person, out of the others' way
    counts        what each rule has counted, by subject and slot (see `rate.py` and `budget.py`)
    reservations  what a call that some rule concerns was given. `charged` is null while it is under way; `final` is 0
                  where it was given up, and so may be corrected yet. Kept for a day, so that nothing is settled twice.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

from lib.admission.counters import Counter
from lib.admission.decision import Ask, Book, Refusal, Reservation
from lib.admission.rules import NO_POLICY, parse_policy

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS meta (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO meta VALUES (1, 1)",
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
BATCH_ROWS = 200
FLUSH_AFTER_MS = 500
# What SQLite holds as a whole number, and more than anybody spends.
MOST_KEPT = 2**62
# How long a call that was let in is remembered after its end. A settlement that comes later than that finds nothing.
REMEMBERED_MS = 24 * 3_600_000

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


_KEEP_COUNTS = (
    "INSERT INTO counts SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1) WHERE true"
    " ON CONFLICT (rule, subject, slot) DO UPDATE SET amount = excluded.amount"
)
_DROP_COUNTS = (
    "DELETE FROM counts WHERE (rule, subject, slot) IN"
    " (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1))"
)
_FORGET = "DELETE FROM counts WHERE (rule, subject) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))"
_OVERDUE = "SELECT id, record ->> 'cost_nano_usd' FROM requests WHERE deadline_ms <= ?"
# CAST: what a Durable Object binds is a number of JavaScript, which would be written as 1.0.
_CHARGE = "UPDATE requests SET record = json_set(record, '$.cost_nano_usd', CAST(? AS INTEGER)) WHERE id = ?"
_KEEP_RESERVATIONS = (
    "INSERT INTO reservations SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?1)"
    " WHERE true ON CONFLICT (id) DO UPDATE SET charged = excluded.charged, final = excluded.final,"
    " until_ms = excluded.until_ms"
)

_KNOWN = (
    "SELECT id, held, charged, final FROM reservations"
    " WHERE charged IS NOT NULL AND id IN (SELECT value ->> 0 FROM json_each(?1))"
)

Past = tuple[str, int, int]  # held, charged, final
Row = list[Any]  # [id, deadline_ms or null, record, what is asked for]


class Gate:
    """State and rules of one gate. Times are milliseconds since 1970."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        for statement in SCHEMA:
            sql.run(statement)
        [[self._version]] = sql.run("SELECT version FROM meta")
        self._now = 0
        self._book = Book(NO_POLICY, {})
        self._held: dict[str, Reservation] = {}
        self._ended: list[list[object]] = []  # rows of `reservations` to write at the end of the call
        self._past: dict[str, Past] = {}  # those of this call's requests that have a row there already
        self.warnings: list[tuple[str, str, int]] = []  # budgets of which so many percent are spent: for the log
        self._open_book()

    def handle(self, version: int, rows: str, now_ms: int) -> int | str:
        """Let requests in, and settle requests; return the version of the organisation's policy.

        `rows` is a JSON array of `[id, deadline_ms, record, ask]` to open a request and `[id, null, record]` to settle
        one; `ask` has the fields of `decision.Ask`. `version` is the policy by which the requests to open were judged.
        When it is not the current one, none of them is opened: their callers see that by the answer, read the policy
        again and ask again. Settling always works. A row may come twice; the second time changes nothing. Where there
        are no rules, `ask` may be left out.

        Where there are rules, the answer is a JSON text instead: `[version, {id: answer}]`, with an answer for each row
        to open: see `_answer`.
        """
        self._now = max(self._now, now_ms)  # a clock that is set back must not open a window twice
        if self._book.policy.empty and not self._held:
            self._sql.run(_WRITE_ALL if version == self._version else _WRITE_SETTLED, rows)
            return int(self._version)
        answers: dict[str, list[object]] = {}
        self._past = {name: (held, charged, final) for name, held, charged, final in self._sql.run(_KNOWN, rows)}
        written = [row for row in json.loads(rows) if self._take(row, version, answers)]
        self._sql.run(_WRITE_ALL, json.dumps(written, ensure_ascii=False))
        self._keep()
        return json.dumps([self._version, answers])

    def bump(self, policy: str | None = None) -> int:
        """The organisation's policy has changed in the store: return its new version. None: its rules are the same."""
        self._sql.run("UPDATE meta SET version = version + 1")
        self._version += 1
        if policy is not None:
            self._sql.run("INSERT OR REPLACE INTO policy VALUES (1, ?)", policy)
            parsed = parse_policy(policy)
            rules = json.dumps([limit.id for limit in parsed.limits] + [budget.id for budget in parsed.budgets])
            self._sql.run("DELETE FROM counts WHERE rule NOT IN (SELECT value FROM json_each(?))", rules)
            self._open_book()
        return int(self._version)

    def counters(self, now_ms: int) -> dict[str, Counter]:
        """Return how much of each rule is used, by its id."""
        self._now = max(self._now, now_ms)
        return self._book.counters(self._now)

    def explain(self, ask: Ask, now_ms: int) -> Refusal | None:
        """Return why a call would be refused now; None if it would be let in. Nothing is counted."""
        self._now = max(self._now, now_ms)
        judged = self._book.judge(self._now, ask)
        return judged if isinstance(judged, Refusal) else None

    def expire(self, now_ms: int) -> None:
        """Give up requests past their deadline: the isolate that held them is gone.

        The record to charge was written when they were opened, so nothing is lost with the isolate. What was reserved
        under a budget is charged at its bound: more the provider can't have asked for.
        """
        self._now = max(self._now, now_ms)
        for name, guess in self._sql.run(_OVERDUE, now_ms):
            held = self._held.pop(name, None)
            if held is not None:
                cost = max(held.bound, int(guess or 0))  # a soft budget may have let in what has no bound
                if held.budgets and cost:
                    self._sql.run(_CHARGE, cost, name)
                self._end(name, held, cost, held.estimate, final=0)
        self._sql.run("UPDATE requests SET deadline_ms = NULL WHERE deadline_ms <= ?", now_ms)
        self._sql.run("DELETE FROM reservations WHERE charged IS NOT NULL AND until_ms <= ?", now_ms)
        self._keep()
        idle = self._book.forget_idle(self._now)
        if idle:
            self._sql.run(_FORGET, json.dumps(idle))

    def _take(self, row: Row, version: int, answers: dict[str, list[object]]) -> bool:
        """Settle or decide one request; tell whether its row is to be written."""
        name, deadline, record = row[:3]
        if deadline is None:
            self._settle(name, record)
            return True
        if version != self._version:
            return False
        if len(row) < 4:  # its caller knows of no rules
            return self._book.policy.empty
        ask = Ask.from_json(row[3])
        held = self._held.get(name)
        if name in self._past:  # it has ended already: somebody who was taken for dead has brought it a second time
            answers[name] = self._answer(Reservation.from_json(self._past[name][0]), ask)
            return False
        decided = held or self._book.decide(self._now, ask)
        answers[name] = self._answer(decided, ask)
        if isinstance(decided, Refusal):
            return False
        if held is None and (decided.limits or decided.budgets):
            self._held[name] = decided
            self._ended.append([name, decided.to_json(), None, 0, deadline])
        return True

    def _answer(self, decided: Reservation | Refusal, ask: Ask) -> list[object]:
        """Return `[code, rule, wait_ms, granted, standing]`; the code is "" for who is let in."""
        standing = self._book.standing(self._now, ask.path)
        rates = {unit: [rate.most, rate.left, rate.window_ms, rate.resets_ms] for unit, rate in standing.rates.items()}
        shown = [rates, standing.budget_left]
        if isinstance(decided, Refusal):
            return [decided.code, decided.rule, decided.wait_ms, None, shown]
        return ["", "", 0, decided.granted, shown]

    def _settle(self, name: str, record: dict[str, Any]) -> None:
        held, before, over = self._held.pop(name, None), None, False
        if held is None and name in self._past:
            text, charged, final = self._past[name]
            held, before, over = Reservation.from_json(text), int(charged), bool(final)
        if held is None:
            return
        if held.bound and record["estimated"] and record["cost_nano_usd"]:
            record["cost_nano_usd"] = min(record["cost_nano_usd"], held.bound)  # a guess, but the bound is proved
        if not over:
            tokens = record["input_tokens"] + record["output_tokens"]
            self._end(name, held, record["cost_nano_usd"] or 0, tokens, final=1, before=before)

    def _end(
        self, name: str, held: Reservation, cost: int, tokens: int, *, final: int, before: int | None = None
    ) -> None:
        text = held.to_json()
        self._book.settle(self._now, held, cost, tokens, before=before)
        self._ended.append([name, text, cost, final, self._now + REMEMBERED_MS])
        self._past[name] = (text, cost, final)
        self.warnings += self._book.warnings(self._now, held)

    def _keep(self) -> None:
        """Write what has changed in memory."""
        changes, ended = self._book.changes(), self._ended
        self._ended = []
        gone = [change for change in changes if not change[3]]
        if gone:
            self._sql.run(_DROP_COUNTS, json.dumps(gone))
        if len(gone) < len(changes):
            kept = [(*place, min(amount, MOST_KEPT)) for *place, amount in changes if amount]
            self._sql.run(_KEEP_COUNTS, json.dumps(kept))
        if ended:
            self._sql.run(_KEEP_RESERVATIONS, json.dumps(ended))

    def _open_book(self) -> None:
        """Read the policy and all counters anew, and count what is under way."""
        texts = self._sql.run("SELECT text FROM policy")
        slots: dict[tuple[str, str], dict[int, int]] = {}
        # An amount may be beyond what a number of JavaScript holds.
        for rule, subject, slot, amount in self._sql.run(
            "SELECT rule, subject, slot, CAST(amount AS TEXT) FROM counts"
        ):
            slots.setdefault((rule, subject), {})[int(slot)] = int(amount)
        self._book = Book(parse_policy(texts[0][0]) if texts else NO_POLICY, dict(slots))
        rows = self._sql.run("SELECT id, held FROM reservations WHERE charged IS NULL")
        self._held = {name: Reservation.from_json(text) for name, text in rows}
        for held in sorted(self._held.values(), key=lambda held: held.since):
            self._book.restore(held)

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
