"""An organisation's ledger for tests: what was delivered, what its report says, and what it should say."""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from lib.ledger import ledger, usage_report
from lib.ledger.archived import Place
from lib.ledger.day_sums import SUMS, day_of, sum_days
from lib.ledger.delivery import deliver_what_fits
from lib.ledger.ledger import LedgerFilter
from lib.ledger.ledger_sums import mark
from lib.ledger.retention import prune
from lib.ledger.usage import TOKENS
from lib.ledger.usage_record import UsageRecord
from lib.ledger.usage_report import COLUMNS, DEFAULT_GROUPS, UsageFilter, UsageSum
from lib.store.database import Database, Statement
from lib.store.dialect import time_text
from lib.store.schema import UsageRecordRow
from lib.store.tenant import Tenant
from tests.unit.fakes import FakeArchive, run
from tests.unit.store.seeds import seed_key, seed_org, usage_record
from tests.unit.store.sqlite_binding import SqliteBinding, new_database

TODAY = datetime(2026, 5, 4, tzinfo=UTC)
NOW = TODAY + timedelta(hours=12, microseconds=1)
EVERYTHING = LedgerFilter(TODAY - timedelta(days=1000), TODAY + timedelta(days=1000))
ALWAYS = UsageFilter(TODAY - timedelta(days=1000), TODAY + timedelta(days=1000))
_PLACE = [COLUMNS[group] for group in DEFAULT_GROUPS]
NOTHING: dict[str, Any] = dict.fromkeys(COLUMNS.values(), "") | dict.fromkeys(SUMS, 0)


class Ledger:
    """An organisation with one key; `beside` is another in the same store."""

    def __init__(self, beside: Ledger | None = None) -> None:
        self.database: Database
        self.binding: SqliteBinding
        self.database, self.binding = (beside.database, beside.binding) if beside else new_database()
        self.org = run(seed_org(self.database))
        self.key = run(seed_key(self.database, self.org)).principal.key_id
        self.delivered: dict[str, UsageRecord] = {}
        self.archive = FakeArchive()
        self.made = 0

    def day(self, days: int) -> str:
        """The day so many days ago."""
        return day_of(TODAY - timedelta(days=days))

    def record(self, days: int, **changes: object) -> UsageRecord:
        """A record of so many days ago, made at a time of its own."""
        self.made += 1
        at = TODAY - timedelta(days=days) + timedelta(hours=3, seconds=self.made)
        fields: dict[str, object] = {"started_at": time_text(at), "model": "m", **changes}
        return usage_record(self.org, self.key, **fields)

    def deliver(self, *records: UsageRecord, now: datetime = NOW) -> None:
        run(self.delivering(*records, now=now))

    async def delivering(self, *records: UsageRecord, now: datetime = NOW) -> None:
        sent = [json.loads(record.to_json()) for record in records]
        assert not await deliver_what_fits(self.database, self.archive, self.org, sent, now)
        for record in records:
            before = self.delivered.get(record.id)
            if before is None or (before.cause == "lost" and record.cause != "lost"):
                self.delivered[record.id] = record

    def sum(self, now: datetime = NOW) -> int:
        return run(sum_days(self.database, self.org, now))

    def prune(self, keep_days: int, now: datetime = NOW) -> int:
        return run(prune(self.database, self.archive, self.org, now, keep_days)).records

    @property
    def marks(self) -> tuple[str, str]:
        marks = run(mark(self.database, self.org))
        assert marks is not None
        return marks.summed_until, marks.pruned_until

    @property
    def summed_days(self) -> list[str]:
        sql = "SELECT DISTINCT day FROM usage_days WHERE org_id = ? ORDER BY day"
        return [str(row["day"]) for row in self.binding.rows(sql, self.org)]

    @property
    def stored(self) -> list[str]:
        """The ids of the records in the store."""
        sql = "SELECT id FROM usage_records WHERE org_id = ? ORDER BY started_at, id"
        return [str(row["id"]) for row in self.binding.rows(sql, self.org)]

    @property
    def archived(self) -> list[dict[str, Any]]:
        """The records in the archive, line by line."""
        bodies = [body for _, body in sorted(self.archive.objects.items())]
        return [json.loads(line) for body in bodies for line in gzip.decompress(body).decode().split("\n")[:-1]]

    def read(self, *, newest: bool, wanted: LedgerFilter = EVERYTHING, limit: int = 3) -> list[UsageRecordRow]:
        """All that the ledger has of what is wanted, page by page."""
        place: Place | None = (wanted.end if newest else wanted.start, "")
        found: list[UsageRecordRow] = []
        read = ledger.newest if newest else ledger.oldest
        while place is not None:
            page = run(read(self.database, self.archive, self.org, wanted, place, limit))
            assert len(page.rows) <= limit
            found += page.rows
            assert page.next != place
            place = page.next
        return found

    def kept(self) -> list[dict[str, Any]]:
        """What it must have, oldest first, in plain Python."""
        records = sorted(self.delivered.values(), key=lambda record: (record.started_at, record.id))
        return [json.loads(record.to_json()) for record in records]

    def report(self, wanted: UsageFilter = ALWAYS) -> list[UsageSum]:
        return run(usage_report.report(self.database, self.org, wanted, DEFAULT_GROUPS, None, 1000))

    def expected(self) -> list[UsageSum]:
        """What a report must say: the sums of all that was delivered, in plain Python."""
        lines: dict[tuple[str, str, str], UsageSum] = {}
        for record in self.delivered.values():
            place = (record.started_at[:10], record.model, record.key_id)
            line = lines.get(place, UsageSum(**NOTHING | dict(zip(_PLACE, place, strict=True))))
            lines[place] = replace(
                line,
                requests=line.requests + 1,
                cost_nano_usd=line.cost_nano_usd + (record.cost_nano_usd or 0),
                estimated_requests=line.estimated_requests + record.estimated,
                unpriced_requests=line.unpriced_requests + (record.cost_nano_usd is None),
                **{name: getattr(line, name) + getattr(record, name) for name in TOKENS},
            )
        return [line for _, line in sorted(lines.items())]

    def before_write(self, sql: str, act: Callable[[], Awaitable[object]]) -> Callable[[], None]:
        """Have something happen just before the next group with such a statement runs; return what calls it off."""
        write = self.database.batch

        async def batch(scope: Tenant, statements: Sequence[Statement]) -> list[int]:
            if any(statement.sql.startswith(sql) for statement in statements):
                setattr(self.database, "batch", write)  # noqa: B010 - a method of one object
                await act()
            return await write(scope, statements)

        setattr(self.database, "batch", batch)  # noqa: B010
        return lambda: setattr(self.database, "batch", write)
