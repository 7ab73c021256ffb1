"""Compare each budget's counter with the ledger, while calls go on.

A counter is read before and after the ledger. What was settled before the first reading is flushed into the store and
so is in the ledger's sum; what is settled after the second is not. Where both readings are the same, the sum is of
that moment; where they are not, it lies between them, and the comparison is made again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from lib.admission import ledger_sums, policy_store
from lib.admission.counters import Counted, Place
from lib.admission.gate import REMEMBERED_MS
from lib.admission.ledger_sums import SubjectSum, Wanted
from lib.admission.rules import EACH
from lib.admission.verification import EARLY_MS, LATE_MS, SLACK_MS, Entry, Line, Reach, Verdict, expect, reach, worst
from lib.admission.windows import CALENDAR
from lib.services import Services
from lib.store.schema import BudgetRow

TRIES = 6
PAGE_SUBJECTS = 250
MOST_UNCLEAR = 2_000
MOST_SHOWN = 20
_END = datetime(3000, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_LOST = "lost"

Sums = dict[str, int]  # nano-dollars by subject
_Page = tuple[list[Line], str | None]


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


@dataclass(slots=True)
class _Ledger:
    """What the ledger says of a page of subjects: in any case, at most, and of whom records are missing."""

    least: Sums = field(default_factory=dict)
    most: Sums = field(default_factory=dict)
    loose: set[str] = field(default_factory=set)
    ends: list[str] = field(default_factory=list)  # of the lists that may go on: how far they reach

    def add(self, found: Sequence[SubjectSum], *, surely: bool = True) -> None:
        for one in found:
            self.put(one.subject, one.cost if surely else 0, one.cost)
        if len(found) == PAGE_SUBJECTS:
            self.ends.append(found[-1].subject)

    def put(self, subject: str, least: int, most: int) -> None:
        self.least[subject] = self.least.get(subject, 0) + least
        self.most[subject] = self.most.get(subject, 0) + most


async def check_organisation(services: Services, org_id: str) -> OrgCheck:
    """Compare all of an organisation's budgets. Raises Unavailable and the store's errors."""
    database = services.database
    org, mark = await ledger_sums.organisation(database, org_id), await ledger_sums.mark(database, org_id)
    limits = _Limits(
        _midnight(mark.pruned_until) if mark else datetime(2000, 1, 1, tzinfo=UTC), _ms(org.updated_at) if org else 0
    )
    refused = await services.gates.refused(org_id)
    rows = await ledger_sums.budgets(database, org_id)
    return OrgCheck(org_id, refused, [await _Comparison(services, row, limits).run() for row in rows])


class _Comparison:
    """Of one budget."""

    def __init__(self, services: Services, row: BudgetRow, limits: _Limits) -> None:
        self._services = services
        self._row = row
        self._limits = limits
        self._who = None if row.scope_id == EACH else row.scope_id

    async def run(self) -> BudgetCheck:
        """Go through all subjects, page by page."""
        if self._row.covers == policy_store.MEMBERS:
            reason = "records do not say on which teams a member's own calls counted"
            return BudgetCheck(self._row, Verdict.UNVERIFIABLE, reason)
        if self._who is not None and self._row.scope_type == "key":
            self._who = await ledger_sums.line_of(self._services.database, self._row.org_id, self._who)
        lines: list[Line] = []
        whole = BudgetCheck(self._row, Verdict.AGREES)
        after: str | None = ""
        while after is not None:
            try:
                read, after = await self._settled_page(after)
            except _CantTell as reason:
                return replace(whole, verdict=Verdict.UNVERIFIABLE, reason=str(reason))
            whole = replace(
                whole,
                subjects=whole.subjects + len(read),
                spent=whole.spent + sum(line.after for line in read),
                least=whole.least + sum(line.least for line in read),
                most=whole.most + sum(line.most for line in read),
            )
            lines += [line for line in read if line.verdict is not Verdict.AGREES]
        verdict = worst(line.verdict for line in lines)
        return replace(whole, verdict=verdict, reason=self._reason(verdict), found=lines[:MOST_SHOWN])

    async def _settled_page(self, after: str) -> _Page:
        """Read a page again until nothing moves meanwhile, at most so many times. A difference must be seen twice."""
        page: _Page | None = None
        differed = False
        for _ in range(TRIES):
            page = await self._page(after) or page
            verdict = worst(line.verdict for line in page[0]) if page else Verdict.BUSY
            if verdict in (Verdict.AGREES, Verdict.UNVERIFIABLE) or (differed and verdict is Verdict.DIFFERS):
                break
            differed = verdict is Verdict.DIFFERS
        if page is None:
            raise _CantTell("reading its records takes too long")
        return page

    async def _page(self, after: str) -> _Page | None:
        """Compare the subjects behind `after` once; return them, and behind whom there are more. None: it was too slow.

        Raises _CantTell.
        """
        gates, org_id = self._services.gates, self._row.org_id
        first = await gates.accounts(org_id, self._row.id, after, PAGE_SUBJECTS)
        if first is None:
            raise _CantTell("the gate does not know this budget")
        await gates.flush(org_id)
        ledger = await self._read(first, after)
        last = await gates.accounts(org_id, self._row.id, after, PAGE_SUBJECTS)
        if last is None or last.begin_ms != first.begin_ms or last.now_ms - first.now_ms > SLACK_MS:
            return None  # another window, or too slow for a window that rolls
        ends = [*ledger.ends, *(read.spent[-1].subject for read in (first, last) if read.more and read.spent)]
        end = min(ends) if ends and self._who is None else None
        before, now = _used(first), _used(last)
        subjects = {self._who} if self._who is not None else {*ledger.most, *before, *now}
        shown = sorted(who for who in subjects if end is None or who <= end)
        lines = [
            Line(
                subject=who,
                before=before.get(who, 0),
                after=now.get(who, 0),
                least=ledger.least.get(who, 0),
                most=ledger.most.get(who, 0),
                firm=who not in ledger.loose,
            )
            for who in shown
        ]
        return lines, end

    async def _read(self, counted: Counted, after: str) -> _Ledger:
        """Ask the store what the ledger says, for the window that the gate counts in."""
        row, limits = self._row, self._limits
        hard = row.mode == "hard" and row.version == 1  # and was never soft
        covered = reach(row.spend_window, counted.begin_ms, _ms(row.created_at), counted.now_ms, bounded=hard)
        ledger = _Ledger()
        if row.spend_window in CALENDAR and limits.changed_ms > covered.begin_ms:
            covered = replace(covered, sure_ms=max(covered.sure_ms, limits.changed_ms + LATE_MS))
        possible, sure = (max(_time(ms), limits.pruned) for ms in (covered.possible_ms, covered.sure_ms))
        if _time(covered.possible_ms) < limits.pruned:
            await self._read_days(covered, after, ledger)
        ledger.add(await self._sums(self._wanted(sure, _END, after)))
        if possible < sure:
            await self._read_unclear(covered, counted, self._wanted(possible, sure, after), ledger)
        if row.spend_window in CALENDAR and limits.changed_ms > covered.begin_ms:
            ledger.loose.update(ledger.most)
        if counted.mixed:  # what was before the later begins does not count for everybody
            ledger.least = dict.fromkeys(ledger.least, 0)
        return ledger

    async def _read_days(self, covered: Reach, after: str, ledger: _Ledger) -> None:
        """Add what is in the sums of days only. The first day belongs to the window in part: that leaves a range."""
        if self._row.scope_type not in ledger_sums.OF_DAYS:
            raise _CantTell("records of its window are deleted, and the sums of days do not tell its subjects apart")
        begin, end = _time(covered.begin_ms), self._limits.pruned.date().isoformat()
        whole = (begin if begin == _midnight(begin.date().isoformat()) else begin + _DAY).date().isoformat()
        touched = _time(covered.possible_ms).date().isoformat()
        surely = await self._sums_of_days(self._wanted(min(whole, end), end, after))
        perhaps = await self._sums_of_days(self._wanted(touched, min(whole, end), after))
        ledger.add(surely)
        ledger.add(perhaps, surely=False)
        ledger.loose.update(one.subject for one in perhaps if one.cost)

    async def _read_unclear(self, covered: Reach, counted: Counted, wanted: Wanted, ledger: _Ledger) -> None:
        """Add the calls that began near the begin, of which the gate knows whether they count."""
        rows = await ledger_sums.unclear(self._services.database, self._row.org_id, wanted, MOST_UNCLEAR + 1)
        if len(rows) > MOST_UNCLEAR:  # too many to ask about
            ledger.add(await self._sums(wanted), surely=False)
            return
        names = sorted({row.id for row in rows})
        places = await self._services.gates.places(self._row.org_id, names) if rows else {}
        counts = self._known(places, counted)
        for row in rows:
            cost = row.cost_nano_usd or 0
            entry = Entry(row.id, row.subject, cost, _ms(row.started_at), row.duration_ms, row.cause == _LOST)
            ledger.put(row.subject, *expect(covered, [entry], counts))

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

    async def _sums(self, wanted: Wanted) -> list[SubjectSum]:
        return await ledger_sums.sums(self._services.database, self._row.org_id, wanted, PAGE_SUBJECTS)

    async def _sums_of_days(self, wanted: Wanted) -> list[SubjectSum]:
        return await ledger_sums.sums_of_days(self._services.database, self._row.org_id, wanted, PAGE_SUBJECTS)

    def _wanted(self, start: datetime | str, end: datetime | str, after: str) -> Wanted:
        return Wanted(self._row.scope_type, self._who, self._row.scope_model, start, end, after)

    def _reason(self, verdict: Verdict) -> str | None:
        return {
            Verdict.AGREES: None,
            Verdict.BUSY: "calls were settled all the while, and the counter was within what the ledger said",
            Verdict.UNVERIFIABLE: "single records of its first day are deleted, or its organisation's days have moved",
            Verdict.DIFFERS: "the counter is not the sum of the records",
        }[verdict]


def _used(counted: Counted) -> Sums:
    return {one.subject: one.used for one in counted.spent}


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _midnight(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)
