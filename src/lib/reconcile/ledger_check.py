"""Compare each budget's counter with the ledger, while calls go on.

A counter is read before and after the ledger. What was settled before the first reading is flushed into the store and
so is in the ledger's sum; what is settled after the second is not. Where both readings are the same, the sum is of
that moment; where they are not, it lies between them, and the comparison is made again.

The ledger is read once for so many subjects as there is room for in memory, not once for each page of them; both it and
the gate are read in pieces that take some milliseconds each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from lib.admission import rule_store
from lib.admission.counters import Counted, Place
from lib.admission.gate import REMEMBERED_MS
from lib.admission.rules import EACH
from lib.admission.windows import CALENDAR
from lib.ledger import ledger_sums
from lib.ledger.ledger_sums import UnclearRow, Wanted
from lib.reconcile.parts import Reconciling
from lib.reconcile.verification import EARLY_MS, LATE_MS, Entry, Line, Reach, Verdict, expect, reach, slack_of, worst
from lib.store.schema import BudgetRow

TRIES = 6
PAGE_SUBJECTS = 250
# Subjects that are compared together, and what they take at most of an isolate's memory, in bytes.
PASS_SUBJECTS = 20_000
HELD_BYTES = 8 * 2**20
MOST_UNCLEAR = 2_000
# What a comparison may ask of D1, which takes 1,000 queries in an invocation.
MOST_QUERIES = 900
MOST_SHOWN = 20
_END = datetime(3000, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_LOST = "lost"

Sums = dict[str, int]  # nano-dollars by subject
_Pass = tuple[list[Line], str | None]


class _CantTell(Exception):
    """Nothing can be said of a budget; the message says why."""


@dataclass(frozen=True, slots=True)
class BudgetCheck:
    """What was found of one budget. `found` are subjects that do not agree, 20 at most; the sums are over all."""

    row: BudgetRow
    verdict: Verdict
    reason: str | None = None
    subjects: int = 0
    spent: int = 0
    least: int = 0
    most: int = 0
    found: Sequence[Line] = ()


@dataclass(frozen=True, slots=True)
class OrgCheck:
    """What was found of one organisation. `refused` records are in the gate only: the store did not take them."""

    org_id: str
    refused: int
    budgets: Sequence[BudgetCheck]

    @property
    def verdict(self) -> Verdict:
        return Verdict.DIFFERS if self.refused else worst(check.verdict for check in self.budgets)


@dataclass(frozen=True, slots=True)
class _Limits:
    """From when on an organisation's records are whole: those before `pruned` are deleted.

    Before `changed_ms` its days may have begun at other hours.
    """

    pruned: datetime
    changed_ms: int


class _Ledger:
    """What the ledger says of subjects: in any case, at most, and of whom records are missing.

    Where there are too many it knows of the first only, in their order: those until `last`.
    """

    def __init__(self, after: str, last: str | None) -> None:
        self.after = after
        self.last = last
        self.least: Sums = {}
        self.most: Sums = {}
        self.loose: set[str] = set()

    def put(self, subject: str, least: int, most: int, *, loose: bool = False) -> None:
        if self.last is not None and subject > self.last:
            return
        self.least[subject] = self.least.get(subject, 0) + least
        self.most[subject] = self.most.get(subject, 0) + most
        if loose:
            self.loose.add(subject)
        if len(self.most) > 2 * PASS_SUBJECTS:
            self.cut()

    def cut(self) -> None:
        """Forget all but the first, where there are too many."""
        if len(self.most) > PASS_SUBJECTS:
            kept = sorted(self.most)[:PASS_SUBJECTS]
            self.last = kept[-1]
            self.least = {who: self.least[who] for who in kept}
            self.most = {who: self.most[who] for who in kept}
            self.loose.intersection_update(kept)


@dataclass(frozen=True, slots=True)
class _Counters:
    """What a gate has told of the subjects behind one, in some pages: those until `last`, None for all.

    `told` is the first page, with the window of all.
    """

    told: Counted
    used: Sums
    last: str | None
    ended_ms: int


async def check_organisation(parts: Reconciling, org_id: str) -> OrgCheck:
    """Compare all of an organisation's budgets. Raises Unavailable and the store's errors."""
    limits = await _limits(parts, org_id)
    refused = await parts.gates.refused(org_id)
    rows = await ledger_sums.budgets(parts.database, org_id)
    return OrgCheck(org_id, refused, [await _Comparison(parts, row, limits).run() for row in rows])


async def _limits(parts: Reconciling, org_id: str) -> _Limits:
    database = parts.database
    org, mark = await ledger_sums.organisation(database, org_id), await ledger_sums.mark(database, org_id)
    return _Limits(
        _midnight(mark.pruned_until) if mark else datetime(2000, 1, 1, tzinfo=UTC), _ms(org.updated_at) if org else 0
    )


class _Comparison:
    """Of one budget."""

    def __init__(self, parts: Reconciling, row: BudgetRow, limits: _Limits) -> None:
        self._parts = parts
        self._row = row
        self._limits = limits
        self._who = None if row.scope_id == EACH else row.scope_id

    async def run(self) -> BudgetCheck:
        """Go through all subjects, page by page."""
        if self._row.covers == rule_store.MEMBERS:
            reason = "records do not say on which teams a member's own calls counted"
            return BudgetCheck(self._row, Verdict.UNVERIFIABLE, reason)
        if self._who is not None and self._row.scope_type == "key":
            self._who = await ledger_sums.line_of(self._parts.database, self._row.org_id, self._who)
        whole = BudgetCheck(self._row, Verdict.AGREES)
        after: str | None = ""
        while after is not None:
            try:
                read, after = await self._settled_pass(after)
            except _CantTell as reason:
                return replace(whole, verdict=Verdict.UNVERIFIABLE, reason=str(reason))
            differing = [line for line in read if line.verdict is not Verdict.AGREES]
            whole = replace(
                whole,
                verdict=worst([whole.verdict, *(line.verdict for line in differing)]),
                subjects=whole.subjects + len(read),
                spent=whole.spent + sum(line.after for line in read),
                least=whole.least + sum(line.least for line in read),
                most=whole.most + sum(line.most for line in read),
                found=[*whole.found, *differing][:MOST_SHOWN],
            )
        return replace(whole, reason=self._reason(whole.verdict))

    async def _settled_pass(self, after: str) -> _Pass:
        """Compare again until nothing moves meanwhile, at most so many times. A difference must be seen twice."""
        found: _Pass | None = None
        differed = False
        for _ in range(TRIES):
            found = await self._pass(after) or found
            verdict = worst(line.verdict for line in found[0]) if found else Verdict.BUSY
            if verdict in (Verdict.AGREES, Verdict.UNVERIFIABLE) or (differed and verdict is Verdict.DIFFERS):
                break
            differed = verdict is Verdict.DIFFERS
        if found is None:
            raise _CantTell("reading its records takes too long")
        return found

    async def _pass(self, after: str) -> _Pass | None:
        """Compare the subjects behind `after` once; return them, and behind whom there are more.

        None: it was too slow, or records have left the store meanwhile. Raises _CantTell.
        """
        first = await self._counters(after, None)
        await self._parts.gates.flush(self._row.org_id)
        ledger = _Ledger(after, first.last)
        await self._read(first.told, ledger)
        ledger.cut()
        last = await self._counters(after, ledger.last)
        known, self._limits = self._limits, await _limits(self._parts, self._row.org_id)
        if known != self._limits:
            return None  # records have left the store that were to be read there
        window = self._row.spend_window
        if (
            last.told.begin_ms != first.told.begin_ms
            or last.ended_ms - first.told.now_ms > slack_of(window)
            or last.told.mixed != first.told.mixed
        ):
            return None  # another window, or too slow for a window that rolls
        ends = [end for end in (ledger.last, last.last) if end is not None]
        end = min(ends) if ends and self._who is None else None
        subjects = {self._who} if self._who is not None else {*ledger.most, *first.used, *last.used}
        lines = [
            Line(
                subject=who,
                before=first.used.get(who, 0),
                after=last.used.get(who, 0),
                least=ledger.least.get(who, 0),
                most=ledger.most.get(who, 0),
                firm=who not in ledger.loose,
            )
            for who in sorted(who for who in subjects if end is None or who <= end)
        ]
        return lines, end

    async def _counters(self, after: str, until: str | None) -> _Counters:
        """Ask the gate for those behind `after`, until one or as many as fit. Raises _CantTell."""
        pages: list[Counted] = []
        used: Sums = {}
        place: str | None = after
        while place is not None and len(used) < PASS_SUBJECTS and not (until is not None and place >= until):
            page = await self._parts.gates.accounts(self._row.org_id, self._row.id, place, PAGE_SUBJECTS)
            if page is None:
                raise _CantTell("the gate does not know this budget")
            pages.append(page)
            used.update((one.subject, one.used) for one in page.spent)
            place = page.spent[-1].subject if page.more and page.spent else None
        begins = {page.begin_ms for page in pages}
        mixed = len(begins) > 1 or any(page.mixed for page in pages)
        return _Counters(replace(pages[0], begin_ms=min(begins), mixed=mixed), used, place, pages[-1].now_ms)

    async def _read(self, counted: Counted, ledger: _Ledger) -> None:
        """Ask the store what the ledger says, for the window that the gate counts in."""
        row, limits = self._row, self._limits
        hard = row.mode == "hard" and row.version == 1  # and was never soft
        covered = reach(row.spend_window, counted.begin_ms, _ms(row.created_at), counted.now_ms, bounded=hard)
        moved = row.spend_window in CALENDAR and limits.changed_ms > covered.begin_ms
        if moved:
            covered = replace(covered, sure_ms=max(covered.sure_ms, limits.changed_ms + LATE_MS))
        possible, sure = (max(_time(ms), limits.pruned) for ms in (covered.possible_ms, covered.sure_ms))
        if _time(covered.possible_ms) < limits.pruned:
            await self._read_days(covered, ledger)
        await self._add(ledger, sure, _END)
        if possible < sure:
            await self._read_unclear(covered, counted, possible, sure, ledger)
        if moved:
            ledger.loose.update(ledger.most)
        if counted.mixed:  # what was before the later begins does not count for everybody
            ledger.least = dict.fromkeys(ledger.least, 0)

    async def _read_days(self, covered: Reach, ledger: _Ledger) -> None:
        """Add what is in the sums of days only. The first day belongs to the window in part: that leaves a range."""
        begin, end = _time(covered.begin_ms), self._limits.pruned.date().isoformat()
        whole = (begin if begin == _midnight(begin.date().isoformat()) else begin + _DAY).date().isoformat()
        touched = _time(covered.possible_ms).date().isoformat()
        row, database = self._row, self._parts.database
        if not await ledger_sums.tell_apart(database, row.org_id, row.scope_type, touched, end):
            raise _CantTell("records of its window are deleted, and the sums of days do not tell its subjects apart")
        await self._add(ledger, min(whole, end), end)
        await self._add(ledger, touched, min(whole, end), surely=False, loose=True)

    async def _read_unclear(
        self, covered: Reach, counted: Counted, possible: datetime, sure: datetime, ledger: _Ledger
    ) -> None:
        """Add the calls that began near the begin, of which the gate knows whether they count."""
        rows: list[UnclearRow] = []
        async for piece in self._pieces(ledger, possible, sure):
            rows += await ledger_sums.unclear(self._parts.database, self._row.org_id, piece, MOST_UNCLEAR + 1)
            if len(rows) > MOST_UNCLEAR:  # too many to ask about
                await self._add(ledger, possible, sure, surely=False)
                return
        names = sorted({row.id for row in rows})
        places = await self._parts.gates.places(self._row.org_id, names) if rows else {}
        counts = self._known(places, counted)
        for row in rows:
            cost = row.cost_nano_usd or 0
            entry = Entry(row.id, row.subject, cost, _ms(row.started_at), row.duration_ms, row.cause == _LOST)
            ledger.put(row.subject, *expect(covered, [entry], counts))

    async def _add(
        self, ledger: _Ledger, start: datetime | str, end: datetime | str, *, surely: bool = True, loose: bool = False
    ) -> None:
        """Add all records from one time to another; or the sums of days, where they are days."""
        async for piece in self._pieces(ledger, start, end):
            for one in await ledger_sums.sums(self._parts.database, self._row.org_id, piece):
                ledger.put(one.subject, one.cost if surely else 0, one.cost, loose=loose and one.cost > 0)

    async def _pieces(self, ledger: _Ledger, start: datetime | str, end: datetime | str) -> AsyncIterator[Wanted]:
        """Yield the pieces of a time, of the subjects that the ledger takes by then. Raises _CantTell."""
        row, database = self._row, self._parts.database
        wanted = Wanted(row.scope_type, self._who, row.scope_model, start, end, ledger.after)
        async for piece in ledger_sums.pieces(database, row.org_id, wanted):
            if database.cost.queries >= MOST_QUERIES:
                raise _CantTell("its records are more than can be read at once")
            yield replace(piece, last=ledger.last)

    def _known(self, places: Mapping[str, Sequence[Place]], counted: Counted) -> Callable[[Entry], bool | None]:
        def counts(entry: Entry) -> bool | None:
            if entry.id in places:
                mine = (
                    place for place in places[entry.id] if (place.rule, place.subject) == (self._row.id, entry.subject)
                )
                return any(place.begin_ms >= counted.begin_ms for place in mine)
            # The gate remembers a call for a day: a young one that it does not know was let in before there was a rule.
            return False if counted.now_ms - entry.started_ms < REMEMBERED_MS - EARLY_MS else None

        return counts

    def _reason(self, verdict: Verdict) -> str | None:
        return {
            Verdict.AGREES: None,
            Verdict.BUSY: "calls were settled all the while, and the counter was within what the ledger said",
            Verdict.UNVERIFIABLE: "single records of its first day are deleted, or its organisation's days have moved",
            Verdict.DIFFERS: "the counter is not the sum of the records",
        }[verdict]


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _midnight(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)
