"""The queue between the gates and the store: a gate's side of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from js import Object
from pyodide.ffi import JsException, to_js

from lib.admission.outbox import QueueUnavailable
from lib.ledger.ledger_messages import CALL_MESSAGES, packed
from lib.ledger.usage_store import Record

SECONDS = 10


class LedgerQueue:
    """Implements `lib.admission.outbox.Queue`. `binding` is the platform's, of a producer."""

    def __init__(self, binding: Any) -> None:
        self._binding = binding

    async def send(self, org_id: str, records: Sequence[Record]) -> None:
        messages = packed(org_id, records)
        try:
            for start in range(0, len(messages), CALL_MESSAGES):
                batch = [{"body": body, "contentType": "text"} for body in messages[start : start + CALL_MESSAGES]]
                sending = self._binding.sendBatch(to_js(batch, dict_converter=Object.fromEntries))
                await asyncio.wait_for(sending, SECONDS)
        except JsException as error:
            raise QueueUnavailable(error.message or "") from None
        except TimeoutError:
            raise QueueUnavailable(f"no answer within {SECONDS} s") from None


def ledger_queue_of(env: Any) -> LedgerQueue | None:
    """Return the deployment's queue; None where wrangler.toml binds none."""
    binding = getattr(env, "LEDGER_QUEUE", None)
    return None if binding is None else LedgerQueue(binding)
