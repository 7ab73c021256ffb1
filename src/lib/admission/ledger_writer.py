"""The other end of the queue: messages of the gates are written to the store, and the gates are told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lib import failures
from lib.admission.ledger_messages import Message, merged, unpacked, writes
from lib.admission.outbox import Log
from lib.admission.usage_store import deliver_what_fits
from lib.failures import Failure
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
    confirm: Confirm
    log: Log
    now: datetime

    async def write(self, messages: Sequence[Brought]) -> None:
        """Write messages, and answer each. What one organisation's meet with is no concern of another's."""
        waiting: dict[str, list[tuple[Message, Brought]]] = {}
        for brought in messages:
            message = unpacked(brought.body)
            if message is None:
                self.log.error("ledger_message_malformed", message_id=brought.id)
                brought.ack()  # it would be no better the next time
            else:
                waiting.setdefault(message.org_id, []).append((message, brought))
        for org_id, found in waiting.items():
            for group in writes(found, size=lambda pair: pair[0].size):
                await self._write(org_id, group)

    async def _write(self, org_id: str, group: Sequence[tuple[Message, Brought]]) -> None:
        """Write some of an organisation's messages in one go."""
        records = merged(record for message, _ in group for record in message.records)
        try:
            refused = await deliver_what_fits(self.database, org_id, records, self.now)
        except StoreUnavailable as error:
            failures.note(Failure.STORE_LEDGER, str(error))
            for _, brought in group:
                brought.retry()
            return
        for record, reason in refused:
            self.log.error("usage_record_rejected", record=_text(record), reason=str(reason))
        rejected = [record for record, _ in refused]
        written = [record for record in records if record not in rejected]
        await self.confirm(org_id, _text(written), _text(rejected))
        for _, brought in group:
            brought.ack()


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
