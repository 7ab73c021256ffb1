"""The hourly work on the ledger: sum days, then export and delete what is too old, of those that have something to do.

A run is bounded by time and by what it asks of the store. What is left, the next one does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lib.kernel import failures
from lib.kernel.clock import Clock
from lib.kernel.failures import Failure
from lib.ledger.archive import Archive, ArchiveUnavailable
from lib.ledger.day_sums import OVER_AFTER, SETTLED_AFTER, day_of, start_of, sum_days
from lib.ledger.filling import note_filling
from lib.ledger.retention import prune
from lib.store.database import Database, StoreUnavailable
from lib.store.tenant import EveryOrg

# So many organisations are in one run's hands at most.
MOST_ORGS = 5_000
# After so many failures one after another it is the store that fails, or the run has used up what it may ask of it.
MOST_FAILURES = 5
# A run of a cron may take 15 minutes, and ask D1 1,000 times: https://developers.cloudflare.com/workers/platform/limits/
# A group counts once here; whether D1 counts its statements is not said, so it is less than half.
RUN_TIME = timedelta(minutes=10)
MOST_GROUPS = 400
# Of both, what the sums may take where there is an archive: of thousands who call every day, some are always due, and
# nothing would ever be deleted.
SUMMING_SHARE = 0.75

Failed = Callable[[str, Exception], None]  # told of an organisation's id, and why its work broke off


@dataclass(slots=True)
class Books:
    """What a run has done: `left` are organisations that it did not come to an end with, or that failed."""

    orgs: int = 0
    sums_written: int = 0
    records_pruned: int = 0
    left: int = 0


async def keep_books(
    database: Database, archive: Archive | None, clock: Clock, keep_days: int, failed: Failed
) -> Books:
    """Work on all organisations that have something to do. One that fails holds up no other, however it fails.

    Each run begins at another one, so that those left are not always the same. Nothing is deleted without an archive,
    nor after the archive has failed. Raises the store's errors where not even the list can be read.
    """
    run = _Run(database, clock, failed)
    now = clock.now()
    run.share = SUMMING_SHARE if archive is not None else 1.0
    due = await _due(database, "unsummed_at", now - OVER_AFTER)
    settled = [one for one in due if one.at < start_of(day_of(now - SETTLED_AFTER))]
    await run.each(settled, run.sum)
    await run.each(due[len(settled) :], run.sum)
    if archive is not None:
        run.archive, run.keep_days, run.share = archive, keep_days, 1.0
        await run.each(await _due(database, "oldest_at", start_of(day_of(now - timedelta(days=keep_days)))), run.prune)
    note_filling(database)
    left = run.unfinished | run.failing
    run.books.orgs, run.books.left = len(run.seen - left), len(left)
    return run.books


class _Run:
    def __init__(self, database: Database, clock: Clock, failed: Failed) -> None:
        self._database = database
        self._clock = clock
        self._failed = failed
        self._begun = clock.now()
        self.share = 1.0  # of what a run may take
        self.archive: Archive | None = None
        self.keep_days = 0
        self.books = Books()
        self.seen: set[str] = set()
        self.unfinished: set[str] = set()
        self.failing: set[str] = set()

    def goes_on(self) -> bool:
        """Tell whether there is time left, and something to ask for."""
        time, groups = RUN_TIME * self.share, MOST_GROUPS * self.share
        return self._clock.now() - self._begun < time and self._database.cost.queries < groups

    async def each(self, due: Sequence[_Due], work: Callable[[str], Awaitable[bool]]) -> None:
        """Do some work for each organisation, in rounds, until each says that it is done."""
        orgs = [one.org_id for one in due]
        self.seen |= set(orgs)
        begin = int(self._begun.timestamp()) // 3600 * 7919 % len(orgs) if orgs else 0
        waiting, in_a_row = orgs[begin:] + orgs[:begin], 0
        while waiting and in_a_row < MOST_FAILURES and self.goes_on():
            org_id = waiting.pop(0)
            try:
                if not await work(org_id):
                    waiting.append(org_id)
                in_a_row = 0
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this organisation's, and the others go on
                self._failed(org_id, error)
                self.failing.add(org_id)
                in_a_row += isinstance(error, StoreUnavailable)
        self.unfinished |= set(waiting)

    async def sum(self, org_id: str) -> bool:
        """Sum an organisation's days; tell whether there was time for all."""
        self.books.sums_written += await sum_days(self._database, org_id, self._begun, self.goes_on)
        return self.goes_on()

    async def prune(self, org_id: str) -> bool:
        """Export and delete some of an organisation's records; tell whether that was all."""
        if self.archive is None:
            return True
        try:
            pruned = await prune(self._database, self.archive, org_id, self._begun, self.keep_days, self.goes_on)
        except ArchiveUnavailable as error:
            failures.note(Failure.ARCHIVE_AWAY, str(error))
            self.archive = None  # to be tried again by the next run
            return True
        self.books.records_pruned += pruned.records
        return not pruned.unfinished


@dataclass(frozen=True, slots=True)
class _Due:
    org_id: str
    at: datetime


async def _due(database: Database, column: str, before: datetime) -> Sequence[_Due]:
    """Return who has records to work on, and since when, by one of the marks' columns, the oldest first. Others cost
    nothing, however many there are.
    """
    sql = f"SELECT org_id, {column} AS at FROM usage_marks WHERE {column} < ? ORDER BY {column}, org_id LIMIT ?"  # noqa: S608
    return await database.query(EveryOrg("usage_marks"), _Due, sql, before, MOST_ORGS)
