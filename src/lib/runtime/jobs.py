"""What the Worker does without a request: the hourly work, and writing what the gates have sent through the queue."""

from __future__ import annotations

from typing import Any

from lib.admission.bookkeeping import keep_books
from lib.admission.day_sums import SETTLED_AFTER
from lib.admission.ledger_messages import retry_seconds
from lib.admission.ledger_writer import Writer
from lib.config import Records
from lib.http import idempotency
from lib.http.errors import Unavailable
from lib.identity import browser_keys, housekeeping
from lib.runtime import log
from lib.runtime.gate_calls import GateCalls
from lib.runtime.placement import Placement
from lib.runtime.stores import store_of
from lib.runtime.worker import services_of
from lib.services import Services

# A job's statement may take longer than a request's, which somebody waits for. D1 itself ends one after 30 s.
JOB_SECONDS = 60


async def hourly(env: Any) -> None:
    """Delete what has run out, sum the ledger's days, and export and delete old records."""
    services = services_of(env).for_request()
    try:
        for work in (_purge, _keep_books):
            try:
                await work(services, env)
            except Exception as error:  # noqa: BLE001 - the other one goes on
                name = work.__name__.removeprefix("_")
                log.error("job_failed", job=name, kind=type(error).__name__, reason=str(error))
    finally:
        await services.database.close()


async def _purge(services: Services, _env: Any) -> None:
    answers = await idempotency.purge(services)
    budgets = await browser_keys.purge(services)
    log.info("purged", idempotent_answers=answers, browser_key_budgets=budgets, **await housekeeping.purge(services))


async def _keep_books(services: Services, env: Any) -> None:
    archive = services.archive
    if archive is None:
        log.warning("archive_missing", reason="wrangler.toml binds no ARCHIVE, so no usage record is ever deleted")

    def failed(org_id: str, error: Exception) -> None:
        log.error("books_failed", org_id=org_id, kind=type(error).__name__, reason=str(error))

    in_archive = services.config.ledger_records is Records.ARCHIVE
    kept_days = SETTLED_AFTER.days if in_archive else services.config.ledger_retention_days
    database = store_of(env, JOB_SECONDS).open()
    try:
        books = await keep_books(database, archive, services.clock, kept_days, failed)
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
    services = services_of(env).for_request()
    gates = GateCalls(Placement(env, services.config.place).gates)

    async def confirm(org_id: str, written: str, refused: str) -> None:
        try:
            await gates.call(org_id, "delivered", written, refused)
        except Unavailable as error:  # the gate sends its records again
            log.warning("gate_unreachable", org_id=org_id, reason=str(error))

    try:
        writer = Writer(services.database, services.archive, confirm, log, services.clock.now())
        await writer.write([_Brought(m) for m in batch.messages])
    finally:
        await services.database.close()


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
