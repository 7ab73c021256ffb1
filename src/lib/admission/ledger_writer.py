"""The other end of the queue: messages of the gates are written to the store, and the gates are told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lib.admission.outbox import Log
from lib.kernel import failures
from lib.kernel.failures import Failure
from lib.ledger.archive import Archive
from lib.ledger.delivery import deliver_what_fits
from lib.ledger.ledger_messages import merged, org_of, unpacked, writes
from lib.ledger.usage_store import Record
from lib.store.database import Database, StoreUnavailable


class Brought(Protocol):
    """A message as the queue brings it; it must be answered by one of the two."""

    @property
    def id(self) -> str: ...

    @property
    def body(self) -> object: ...

    def ack(self) -> None:
        """It is done with."""

    def retry(self) -> None:
        """Bring it again."""


class Confirm(Protocol):
    """Tells an organisation's gate what the store has of its records, and what it refuses for good: two JSON arrays.

    Does not raise: a gate that is not told sends the records again, and is told then.
    """

    async def __call__(self, org_id: str, written: str, refused: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes one batch of messages."""

    database: Database
    archive: Archive | None
    confirm: Confirm
    log: Log
    now: datetime

    async def write(self, messages: Sequence[Brought]) -> None:
        """Write messages, and answer each. What one organisation's meet with is no concern of another's.

        They are parsed write by write: never all that a batch brings at once.
        """
        waiting: dict[str, list[Brought]] = {}
        for brought in messages:
            org_id = org_of(brought.body)
            if org_id is None:
                self._drop(brought)
            else:
                waiting.setdefault(org_id, []).append(brought)
        for org_id, found in waiting.items():
            for group in writes(found, size=lambda brought: len(str(brought.body))):
                await self._write(org_id, group)

    def _drop(self, brought: Brought) -> None:
        self.log.error("ledger_message_malformed", message_id=brought.id)
        brought.ack()  # it would be no better the next time

    async def _write(self, org_id: str, group: Sequence[Brought]) -> None:
        """Write some of an organisation's messages in one go, or have the queue bring them again."""
        parsed = [(brought, unpacked(brought.body)) for brought in group]
        for brought in [brought for brought, message in parsed if message is None]:
            self._drop(brought)
        records = merged(record for _, message in parsed if message for record in message.records)
        written = await self._delivered(org_id, records)
        for brought in [brought for brought, message in parsed if message]:
            if written:
                brought.ack()
            else:
                brought.retry()

    async def _delivered(self, org_id: str, records: Sequence[Record]) -> bool:
        """Write records and tell their gate; tell whether that was done. A defect that they meet stops no others."""
        try:
            await self._deliver(org_id, records)
        except StoreUnavailable as error:
            failures.note(Failure.STORE_LEDGER, str(error))
            return False
        except Exception as error:  # noqa: BLE001 - as the docstring says
            kind, reason = type(error).__name__, str(error)
            self.log.error("ledger_write_broke", org_id=org_id, kind=kind, reason=reason)  # noqa: TRY400 - our own log
            return False
        return True

    async def _deliver(self, org_id: str, records: Sequence[Record]) -> None:
        if not records:
            return
        refused = await deliver_what_fits(self.database, self.archive, org_id, records, self.now)
        for record, reason in refused:
            self.log.error("usage_record_rejected", record=_text(record), reason=str(reason))
        rejected = [record for record, _ in refused]
        names = {record["id"] for record in rejected}
        written = [record for record in records if record["id"] not in names]
        await self.confirm(org_id, _text(written), _text(rejected))


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
