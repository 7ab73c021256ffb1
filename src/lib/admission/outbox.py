"""The way of a gate's records to the store: by the queue where there is one, else straight, and never forgotten first.

A record leaves the gate only when the store has it. What goes by the queue is confirmed by who takes it from there
(`ledger_writer.py`); what is not confirmed within a minute is sent again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol

from lib.admission.gate import Gate
from lib.kernel import failures
from lib.kernel.clock import Clock
from lib.kernel.failures import Failure
from lib.ledger.archive import Archive
from lib.ledger.delivery import deliver_what_fits
from lib.ledger.ledger_messages import UnderWay, ids_of
from lib.ledger.usage_store import Record
from lib.store.database import Store

# What one alarm sends at most; the next goes on.
MOST_BATCHES = 20
# When one looks again where no more may be sent, and nothing has arrived meanwhile.
FULL_AGAIN_MS = 5_000


class QueueUnavailable(Exception):
    """The queue can't be reached, or takes no more. Some records may have been sent all the same."""


class Queue(Protocol):
    """The producer's side of the queue."""

    async def send(self, org_id: str, records: Sequence[Record]) -> None:
        """Send one organisation's records, of which there is one at least. Raises QueueUnavailable."""
        ...


class Log(Protocol):
    """Structured lines; see `lib.runtime.log`."""

    def error(self, event: str, **facts: object) -> None: ...


class Outbox:
    """The outbox of `gate`, which is one organisation's. Times are milliseconds since 1970."""

    def __init__(
        self,
        gate: Gate,
        org_id: str,
        store: Store,
        archive: Archive | None,
        queue: Queue | None,
        clock: Clock,
        log: Log,
    ) -> None:
        self._gate = gate
        self._org_id = org_id
        self._store = store
        self._archive = archive
        self._queue = queue
        self._clock = clock
        self._log = log
        self._under_way = UnderWay()

    async def send(self, now_ms: int) -> None:
        """Send what is settled and not under way. Raises StoreUnavailable."""
        after = ""  # what was passed over once is not read again
        for _ in range(MOST_BATCHES):
            waiting = self._under_way.waiting(now_ms)
            records = None if self._under_way.full(now_ms) else self._gate.outbox(waiting, after)
            if records is None:
                return
            parsed = json.loads(records)
            after = parsed[-1]["id"]
            if not await self._sent_by_queue(parsed, now_ms):
                await self._write(parsed)

    async def flush(self) -> None:
        """Write all that is settled, also what is under way: who reads the store now must see it."""
        while (records := self._gate.outbox()) is not None:
            await self._write(json.loads(records))

    def delivered(self, written: str, refused: str) -> None:
        """Drop records that the store has, and set aside what it refuses for good: two JSON arrays."""
        self._gate.delivered(written)
        rejected = json.loads(refused)
        for record in rejected:
            self._gate.reject(_text(record))
        self._under_way.arrived(ids_of([*json.loads(written), *rejected]))

    def next_ms(self, now_ms: int) -> int | None:
        """Return when there is next something to do, or None."""
        due = self._gate.next_alarm(now_ms, self._under_way.waiting(now_ms))
        if due is not None and self._under_way.full(now_ms):
            due = max(due, now_ms + FULL_AGAIN_MS)
        dues = [due, self._under_way.next_ms]
        return min((due for due in dues if due is not None), default=None)

    async def _sent_by_queue(self, records: Sequence[Record], now_ms: int) -> bool:
        if self._queue is None:
            return False
        names = ids_of(records)
        self._under_way.sent(names, now_ms)  # before they go: they may arrive before we hear that they have gone
        try:
            await self._queue.send(self._org_id, records)
        except QueueUnavailable as error:
            failures.note(Failure.QUEUE_AWAY, str(error))
            self._under_way.arrived(names)
            return False
        return True

    async def _write(self, records: Sequence[Record]) -> None:
        database = self._store.open()
        try:
            refused = await deliver_what_fits(database, self._archive, self._org_id, records, self._clock.now())
        finally:
            await database.close()
        for record, error in refused:
            self._log.error("usage_record_rejected", record=_text(record), reason=str(error))
        rejected = [record for record, _ in refused]
        written = [record for record in records if record not in rejected]
        self.delivered(_text(written), _text(rejected))


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
