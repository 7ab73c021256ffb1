"""What the Worker does without a request: the hourly work, and writing what the gates have sent through the queue."""

from __future__ import annotations

from typing import Any

from lib.admission.ledger_writer import Writer
from lib.config import Records
from lib.kernel.errors import Unavailable
from lib.keys import browser_keys
from lib.ledger.bookkeeping import keep_books
from lib.ledger.day_sums import SETTLED_AFTER
from lib.ledger.ledger_messages import retry_seconds
from lib.runtime import log
from lib.runtime.objects.gate_calls import GateCalls
from lib.runtime.objects.placement import Placement
from lib.runtime.stores import store_of
from lib.sign_in import housekeeping
from lib.web import idempotency
from lib.web.app import App
from lib.worker.serving import app_of

# A job's statement may take longer than a request's, which somebody waits for. D1 itself ends one after 30 s.
JOB_SECONDS = 60


async def hourly(env: Any) -> None:
    """Link events that were left behind, delete what has run out, sum the ledger's days, and export and delete old
    records.
    """
    parts = app_of(env).for_request()
    try:
        for work in (_link_events, _purge, _keep_books):
            try:
                await work(parts, env)
            except Exception as error:  # noqa: BLE001 - the others go on
                name = work.__name__.removeprefix("_")
                log.error("job_failed", job=name, kind=type(error).__name__, reason=str(error))
    finally:
        await parts.database.close()


async def _link_events(parts: App, _env: Any) -> None:
    from lib.audit import linking  # noqa: PLC0415 - memory at the start is full

    log.info("events_linked", events=await linking.link_left(parts))


async def _purge(parts: App, _env: Any) -> None:
    answers = await idempotency.purge(parts)
    budgets = await browser_keys.purge(parts)
    log.info("purged", idempotent_answers=answers, browser_key_budgets=budgets, **await housekeeping.purge(parts))


async def _keep_books(parts: App, env: Any) -> None:
    archive = parts.archive
    if archive is None:
        log.warning("archive_missing", reason="wrangler.toml binds no ARCHIVE, so no usage record is ever deleted")

    def failed(org_id: str, error: Exception) -> None:
        log.error("books_failed", org_id=org_id, kind=type(error).__name__, reason=str(error))

    in_archive = parts.config.ledger_records is Records.ARCHIVE
    kept_days = SETTLED_AFTER.days if in_archive else parts.config.ledger_retention_days
    database = store_of(env, JOB_SECONDS).open()
    try:
        books = await keep_books(database, archive, parts.clock, kept_days, failed)
    finally:
        await database.close()
    log.info(
        "books_kept",
        orgs=books.orgs,
        left=books.left,
        sums_written=books.sums_written,
        records_pruned=books.records_pruned,
        store_bytes=database.size,
    )


async def write_ledger(env: Any, batch: Any) -> None:
    """Write to the store what the gates have sent: a batch of the queue's messages."""
    parts = app_of(env).for_request()
    gates = GateCalls(Placement(env, parts.config.place).gates)

    async def confirm(org_id: str, written: str, refused: str) -> None:
        try:
            await gates.call(org_id, "delivered", written, refused)
        except Unavailable as error:  # the gate sends its records again
            log.warning("gate_unreachable", org_id=org_id, reason=str(error))

    try:
        writer = Writer(parts.database, parts.archive, confirm, log, parts.clock.now())
        await writer.write([_Brought(m) for m in batch.messages])
    finally:
        await parts.database.close()


class _Brought:
    """Implements `lib.admission.ledger_writer.Brought`."""

    def __init__(self, message: Any) -> None:
        self.id = str(message.id)
        self.body: object = message.body
        self._message = message

    def ack(self) -> None:
        self._message.ack()

    def retry(self) -> None:
        self._message.retry(delaySeconds=retry_seconds(int(self._message.attempts)))
