"""The daily work on the ledger, organisation by organisation: sum days, then export and delete what is too old."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from lib import failures
from lib.admission.archive import Archive, ArchiveUnavailable
from lib.admission.day_sums import sum_days
from lib.admission.ledger_sums import organisations
from lib.admission.retention import prune
from lib.failures import Failure
from lib.store.database import Database, StoreError

PAGE = 500
# After so many failures one after another it is the store that fails, or the run has used up what it may ask of it.
MOST_FAILURES = 5

Failed = Callable[[str, Exception], None]  # told of an organisation's id, and why its work broke off


@dataclass(slots=True)
class Books:
    """What a run has done: `left` are organisations that it did not come to, or that failed."""

    orgs: int = 0
    days_summed: int = 0
    records_pruned: int = 0
    left: int = 0


async def keep_books(
    database: Database, archive: Archive | None, now: datetime, keep_days: int, failed: Failed
) -> Books:
    """Work through all organisations. One that fails holds up no other; what is left, the next run does.

    Each run begins at another organisation, so that those are not always the same. Nothing is deleted without an
    archive, nor after the archive has failed. Raises the store's errors where not even the list can be read.
    """
    books = Books()
    orgs = await _organisations(database)
    begin = int(now.timestamp()) // 3600 * 7919 % len(orgs) if orgs else 0
    in_a_row = 0
    for at, org_id in enumerate(orgs[begin:] + orgs[:begin]):
        if in_a_row == MOST_FAILURES:
            books.left += len(orgs) - at
            break
        try:
            books.days_summed += await sum_days(database, org_id, now)
            if archive is not None:
                books.records_pruned += await prune(database, archive, org_id, now, keep_days)
        except ArchiveUnavailable as error:
            failures.note(Failure.ARCHIVE_AWAY, str(error))
            archive = None  # to be tried again tomorrow
        except StoreError as error:
            failed(org_id, error)
            books.left += 1
            in_a_row += 1
            continue
        in_a_row = 0
        books.orgs += 1
    return books


async def _organisations(database: Database) -> list[str]:
    """Return the ids of all organisations, read in pages."""
    found: list[str] = []
    while True:
        page = await organisations(database, found[-1] if found else "", PAGE)
        found += page
        if len(page) < PAGE:
            return found
