"""The gate of one organisation: the single place where a request to a model is let in, opened and settled.

Pure logic over a small SQL port, so that the same code runs in the Durable Object and in a unit test. No method awaits:
a Durable Object runs one at a time, so each is atomic, and the platform holds back its answer until its writes are on
disk. So a decision, what it reserves, and the record of the call are written together or not at all.

A call of `handle` writes one row: what it was asked, and when. All else (`gate_sql.py` tells what there is) follows
from that, and is worked out in memory. Now and then the alarm folds what has changed into the tables, for many calls at
once. After a crash the calls that are not folded yet are decided again, at the times that are noted; since nothing but
the tables, the calls and the times has a part in a decision, the outcome is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic_core import from_json, to_json

from lib.admission import gate_sql, protocol
from lib.admission.atomic import whole
from lib.admission.book import Book
from lib.admission.counters import Counter
from lib.admission.decision import Ask, Refusal, Reservation
from lib.admission.ended import Ended, Past
from lib.admission.gate_disk import Disk, Page, page_of
from lib.admission.gate_sql import Sql, forget_calls, pieces, write
from lib.admission.journal import Journal
from lib.admission.protocol import IS_NEW, Answer, Row
from lib.admission.rate import Before
from lib.admission.rules import Policy, changed, parse_policy
from lib.admission.shelf import MOST_COUNTERS, Load

BATCH_ROWS, BATCH_BYTES = 200, 1_000_000  # of records that are read at once
FLUSH_AFTER_MS = 500
FEW_ROWS = 4
# What one call of `handle` may bring. An isolate brings less; SQLite keeps no text of 2 MB.
MOST_ROWS = 2_000
MOST_BYTES = 1_500_000
# How long a call that was let in is remembered after its end. A settlement that comes later than that finds nothing.
REMEMBERED_MS = gate_sql.DAY_MS

_Held = tuple[Reservation, int | None, bool, int]  # a row of `reservations` behind its id
NewBook = Callable[[Policy, Load, Mapping[str, Before], int], Book]


class BatchTooLarge(Exception):
    """Nothing of it was decided."""


class GateBroken(Exception):
    """Something failed between a decision and the disk: this gate says nothing more. One made anew goes on."""


class Gate:
    """State and rules of one gate. Times are milliseconds since 1970.

    `broke` is called when an exception has left its memory other than the disk: it has to be made anew. `most` is how
    many counters stay in memory; `book` makes what they stand in.
    """

    def __init__(
        self,
        sql: Sql,
        broke: Callable[[Exception], None] = lambda _: None,
        most: int = MOST_COUNTERS,
        book: NewBook = Book,
    ) -> None:
        self._sql = sql
        self._broke = broke
        self._broken = self._inside = False
        gate_sql.prepare(sql)
        self._version = int(sql.run("SELECT version FROM meta")[0][0])
        self._now = 0
        self.disk = Disk(sql)
        self._book = book(self.disk.policy(), self.disk.load, self.disk.before(), most)
        self._held: dict[str, Reservation] = {}
        self._ended = Ended()
        self._journal = Journal(sql)
        self._corrected: dict[str, int] = {}  # costs that are not what the rows there say, by the call's id
        self._changed: dict[str, _Held] = {}  # rows of `reservations` to write
        self.warnings: list[tuple[str, str, int]] = []  # budgets of which so many percent are spent: for the log
        self._held = self.disk.held()
        self._book.restore(self._held.values(), {rule.id for rule in self._book.policy.rules})
        self._replay()

    def atomically(self, work: Callable[[], None]) -> None:
        """Do this, or where it raises nothing of it; then nobody may use this gate again. Raises GateBroken."""
        if self._broken:
            raise GateBroken
        if self._inside:
            work()
            return
        self._inside = True
        try:
            self._sql.atomically(work)
        except Exception as error:
            self._break(error)
            raise
        finally:
            self._inside = False

    def _break(self, error: Exception) -> None:
        self._broken = True
        self._broke(error)

    @property
    def version(self) -> int:
        """The version of the organisation's policy."""
        return self._version

    def handle(self, version: int, rows: str, now_ms: int) -> int | str:
        """Let requests in, and settle requests; return the version of the organisation's policy.

        `rows` is what `protocol.batch` writes. `version` is the policy by which the requests to open were judged. When
        it is not the current one, none of them is opened: their callers see that by the answer, read the policy again
        and ask again; IS_NEW is always current. Settling always works. A row may come twice; the second time changes
        nothing. Where there are rules, the answer is a text instead (`protocol.answered`), with an answer for each row
        to open that asks.
        """
        if self._broken:
            raise GateBroken
        if len(rows) > MOST_BYTES // 4 and len(rows.encode()) > MOST_BYTES:
            raise BatchTooLarge
        self._now = max(self._now, now_ms)  # a clock that is set back must not open a window twice
        self._ended.begin(self._now)
        current = version in (self._version, IS_NEW)
        if self._book.policy.empty and not self._held:
            self.fold()
            self._sql.run(gate_sql.WRITE_ALL if current else gate_sql.WRITE_SETTLED, rows)
            return self._version
        parsed = protocol.rows_of(rows)
        if len(parsed) > MOST_ROWS:
            raise BatchTooLarge
        if not self._journal.has_room(len(parsed), len(rows)):
            self.fold()
        try:
            answers, passed_over = self._take_all(parsed, current=current)
            self._journal.note(rows, len(parsed), passed_over, self._now, current=current)
        except Exception as error:
            self._break(error)
            raise
        return protocol.answered(self._version, answers)

    @whole
    def bump(self) -> int:
        """Make all accounts of the organisation old, and return the new version of its policy. No rule is touched.

        For all that has a part in who may call, and with which models: a key that has ended, a member, a role, a team.
        """
        self._sql.run("UPDATE meta SET version = version + 1")
        self._version += 1
        return self.version

    @whole
    def rules(self, policy: str, now_ms: int) -> int:
        """Count by these rules from now on, as `policy_store.load_policy` writes them; return the policy's version.

        Accounts stay as they are, but where they say too little: of an organisation without rules an isolate asks for
        nothing, and of a member's teams it knows those only that some rule covers.

        No counter is read for it. What no longer counts by the old rules is noted, not looked for: see `rate.Before`.
        """
        self._now = max(self._now, now_ms)
        self.fold()
        self._keep()
        before, parsed = self._book.policy, parse_policy(policy)
        self.disk.forget_rules(sorted({rule.id for rule in parsed.rules} - {rule.id for rule in before.rules}))
        self._book.change(parsed, self._now, self._held.values())
        self.disk.keep_policy(policy, self._book.shelf.before)
        if parsed.covering - before.covering or (before.empty and not parsed.empty):
            self.bump()
        return self._version

    @whole
    def rule(self, change: str, now_ms: int) -> int:
        """Take up one rule that has come, changed or gone, and return the policy's version; see `rules.changed`."""
        return self.rules(changed(self.disk.policy_text(), change, now_ms), now_ms)

    def counters(self, now_ms: int) -> dict[str, Counter]:
        """Return how much of each rule is used, by its id."""
        self._now = max(self._now, now_ms)
        return self._book.counters(self._now)

    @whole
    def accounts(self, rule: str, after: str, most: int, now_ms: int) -> Page | None:
        """Return what a budget has counted, by subject: the begin of its window, and those behind `after`, in order.

        Of each: who it is, what is spent and what is reserved. Then, whether the windows of some begin later: after a
        change of the time zone those go on that had begun. And whether there are more behind these; there may be, also
        where they are less than `most`. None where there is no such budget.
        """
        self._now = max(self._now, now_ms)
        self.fold()
        self._keep()
        shelf = self._book.shelf
        if rule not in shelf.budgets:
            return None
        subjects, more = self.disk.subjects(rule, after, most, shelf.subjects(rule, after))
        return page_of(self._now, shelf, rule, subjects, more=more)

    @whole
    def places(self, names: str) -> dict[str, list[tuple[str, str, int]]]:
        """Return the budgets on which calls count: rule, subject, and the begin of its window, by the call's id.

        `names` is a JSON array of ids. A call that no rule concerned is not there, nor one that ended a day ago.
        """
        self.fold()
        found = [row for piece in pieces(from_json(names)) for row in self._sql.run(gate_sql.READ_PLACES, piece)]
        return {name: Reservation.from_json(text).budgets for name, text in found}

    @whole
    def remembered(self, after: str, most: int) -> list[tuple[str, int, int, list[tuple[str, str, int]]]]:
        """Return calls behind the id `after` that have ended and cost something: id, since when, cost, and budgets."""
        self.fold()
        found = [
            (name, Reservation.from_json(text), int(cost))
            for name, text, cost in self._sql.run(gate_sql.READ_REMEMBERED, after, most)
        ]
        return [(name, held.since, cost, held.budgets) for name, held, cost in found]

    def refused(self) -> int:
        """Return how many records the store has refused for good."""
        [[number]] = self._sql.run("SELECT count(*) FROM rejected")
        return int(number)

    def explain(self, ask: Ask, now_ms: int) -> Refusal | None:
        """Return why a call would be refused now; None if it would be let in. Nothing is counted."""
        self._now = max(self._now, now_ms)
        judged = self._book.judge(self._now, ask)
        return judged if isinstance(judged, Refusal) else None

    @whole
    def expire(self, now_ms: int) -> None:
        """Give up requests past their deadline: the isolate that held them is gone.

        The record to charge was written when they were opened, so nothing is lost with the isolate. What was reserved
        under a budget is charged at its bound: more the provider can't have asked for.
        """
        self._now = max(self._now, now_ms)
        self.fold()
        while overdue := self._sql.run(gate_sql.OVERDUE, now_ms):
            charged = []
            given_up = [self._held[name] for name, _ in overdue if name in self._held]
            self._book.shelf.need(place for held in given_up for place in held.places)
            for name, guess in overdue:
                held = self._held.pop(name, None)
                if held is not None:
                    cost = max(held.bound, int(guess or 0))  # a soft budget may have let in what has no bound
                    if held.budgets and cost:
                        charged.append((name, cost))
                    self._end(name, held, cost, held.estimate, final=False)
            write(self._sql, gate_sql.CHARGE, charged)
            write(self._sql, gate_sql.GIVE_UP, [name for name, _ in overdue])
        forget_calls(self._sql, now_ms, self._held)
        self._keep()
        self.disk.sweep(self._now, self._book.shelf)

    def fold(self) -> None:
        """Bring the tables up to date with what the journal has noted."""
        if not self._journal.is_empty:
            self.atomically(self._fold)

    def _fold(self) -> None:
        self._journal.write()
        write(self._sql, gate_sql.CHARGE, list(self._corrected.items()))
        self._corrected = {}
        self._keep()
        self._journal.clear()

    def _take_all(self, rows: Sequence[Row], *, current: bool) -> tuple[dict[str, Sequence[Any]], list[int]]:
        """Settle and decide the rows of one call; return the answers to those who ask to be let in.

        And the places of those rows that are not to be written. `current` tells whether openings were judged by the
        current policy; else they are passed over.
        """
        answers: dict[str, Sequence[Any]] = {}
        past = self._past_of(rows)
        if len(rows) > FEW_ROWS:  # else what a row needs is read when its turn comes
            self._book.shelf.need(self._places_of(rows, past))
        over = [place for place, row in enumerate(rows) if not self._take(row, past, answers, current=current)]
        return answers, over

    def _replay(self) -> None:
        """Decide again what was decided before a crash and is not in the tables yet, and fold it piece by piece."""
        for call, at_ms, current, text, rows in self._journal.unread():
            if not self._journal.has_room(len(rows), len(text)):
                self.fold()
            self._now = at_ms
            self._ended.begin(at_ms)
            _, passed_over = self._take_all(rows, current=current)
            self._journal.known(call, text, len(rows), passed_over)
        self.fold()
        self.warnings.clear()  # they were told then

    def _places_of(self, rows: Sequence[Row], past: Mapping[str, Past]) -> Iterator[tuple[str, str]]:
        """Yield where these calls count, as far as that is known before they are taken."""
        for name, deadline, _, ask in rows:
            if ask and deadline is not None:
                yield from self._book.places(ask["path"])
            elif name in self._held or name in past:
                yield from (self._held.get(name) or past[name].held).places

    def _past_of(self, rows: Sequence[Row]) -> dict[str, Past]:
        """Return how those of these calls have ended that have."""
        found: dict[str, Past] = {}
        asked = []
        for row in rows:
            name = row[0]
            past = self._ended.get(name)
            if past is not None:
                found[name] = past
            elif name not in self._held and not self._ended.would_know(name):
                asked.append(name)
        for piece in pieces(asked) if asked else ():
            for name, held, charged, final in self._sql.run(gate_sql.READ_ENDED, piece):
                found[name] = Past(Reservation.from_json(held), int(charged), bool(final))
        return found

    def _take(self, row: Row, past: dict[str, Past], answers: dict[str, Sequence[Any]], *, current: bool) -> bool:
        """Settle or decide one request; tell whether its row is to be written."""
        name, deadline, record, asked = row
        ended = self._ended.get(name) or past.get(name)  # it may have ended by a row before this one
        if deadline is None:
            return self._settle(name, record, ended)
        if not current:
            return False
        if asked is None:  # its caller knows of no rules
            return self._book.policy.empty
        ask = Ask.from_json(asked)
        if ended is not None:  # somebody who was taken for dead has brought it a second time
            answers[name] = self._answer(ended.held, ask)
            return False
        held = self._held.get(name)
        decided = held or self._book.decide(self._now, ask)
        answers[name] = self._answer(decided, ask)
        if isinstance(decided, Refusal):
            return False
        if held is None and (decided.limits or decided.budgets):  # else nobody knows of it after a restart
            self._held[name] = decided
            self._keep_later(name, decided, None, deadline)
        return True

    def _answer(self, decided: Reservation | Refusal, ask: Ask) -> Sequence[Any]:
        """Return the parts of `protocol.Answer`; of who is let in, as many as `protocol.granted` says."""
        shown = self._book.standing(self._now, ask.path)
        if isinstance(decided, Refusal):
            place, hoped = self._book.refused_place(decided), self._book.hoped_for(self._now, decided, ask)
            return Answer(decided.code, decided.rule, decided.wait_ms, None, shown, place, hoped, decided.told())
        return protocol.granted(decided.granted, shown)

    def _settle(self, name: str, record: Mapping[str, Any], ended: Past | None) -> bool:
        held = self._held.pop(name, None)
        if held is None and ended is None:
            return True  # no rule concerned it
        if held is None and ended is not None and ended.final:
            return False  # it comes a second time
        given = held or ended.held  # type: ignore[union-attr] # one of them is there
        cost = record["cost_nano_usd"] or 0
        if record["estimated"] and given.hard:
            # A guess; nobody can tell but that no more than the bound was used. Less might pass the budget.
            cost = self._corrected[name] = given.bound
        tokens = record["input_tokens"] + record["output_tokens"]
        self._end(name, given, cost, tokens, final=True, before=None if held or ended is None else ended.charged)
        return True

    def _end(
        self, name: str, held: Reservation, cost: int, tokens: int, *, final: bool, before: int | None = None
    ) -> None:
        self.warnings += self._book.settle(self._now, held, cost, tokens, before=before)
        self._keep_later(name, held, cost, self._now + REMEMBERED_MS, final=final)
        self._ended.add(name, self._now, Past(held, cost, final))

    def _keep_later(
        self, name: str, held: Reservation, charged: int | None, until: int, *, final: bool = False
    ) -> None:
        if held.limits or held.budgets:  # where no rule concerns a call, there is nothing to remember
            self._changed[name] = (held, charged, final, until)
            self._journal.places += len(held.limits) + len(held.budgets)

    def _keep(self) -> None:
        """Write what has changed in memory, and put away what is not needed there."""
        self.disk.keep_counts(self._book.shelf.changes())
        self._book.shelf.make_room()
        rows = [
            (name, held.to_json(), charged, int(final), until)
            for name, (held, charged, final, until) in self._changed.items()
        ]
        write(self._sql, gate_sql.KEEP_RESERVATIONS, rows)
        self._changed = {}

    @whole
    def outbox(self, without: Sequence[str] = (), after: str = "") -> str | None:
        """Return settled records that the store does not have yet, as one JSON array, oldest first; None for none.

        Those whose ids are in `without` are left out: they are under way to it. `after`: only those behind this id.
        """
        self.fold()
        records: list[str] = []
        size = 0
        for _, record in self._sql.run(gate_sql.SETTLED, _text(list(without)), after, BATCH_ROWS):
            size += len(record)
            if records and size > BATCH_BYTES:
                break
            records.append(record)
        return f"[{','.join(records)}]" if records else None

    @whole
    def delivered(self, records: str) -> None:
        """Drop records that the store has. One that was corrected in the meantime (its cause tells) stays."""
        self.fold()  # else a settlement that came a second time would bring its record back
        sent = [{"id": one["id"], "cause": one.get("cause")} for one in from_json(records)]
        write(self._sql, gate_sql.DELIVERED, sent)

    @whole
    def reject(self, record: str) -> None:
        """Set one record (a JSON object) aside that the store refuses for good."""
        self._sql.run("INSERT OR REPLACE INTO rejected VALUES (?1 ->> 'id', ?1)", record)
        self.delivered(f"[{record}]")

    @whole
    def next_alarm(self, now_ms: int, without: Sequence[str] = ()) -> int | None:
        """Return when there is next something to do, or None. `without` is as for `outbox`."""
        self.fold()
        if self._sql.run(gate_sql.ANY_SETTLED, _text(list(without))):
            return now_ms + FLUSH_AFTER_MS
        [[deadline]] = self._sql.run(gate_sql.NEXT_DEADLINE)
        return None if deadline is None else max(int(deadline), now_ms + FLUSH_AFTER_MS)


def _text(value: object) -> str:
    return to_json(value).decode()
