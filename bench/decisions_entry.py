"""Call a gate straight, with batches that are made before the clock runs. Lies beside admission_entry.py."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from lib.admission.decision import Ask
from lib.kernel.ids import new_id
from lib.ledger.usage import NO_TOKENS, Cause, Usage
from lib.ledger.usage_record import UsageRecord
from lib.store.dialect import time_text

DEADLINE_MS = 600_000


async def batches(
    stub: Any, org_id: str, key_id: str, size: int, count: int, callers: int, clock: Callable[[], float]
) -> str:
    """Open `size` calls in each of `count` batches, and settle those of the batch before. Return what it took, as JSON.

    `callers` bring batches at the same time, each one after another. Raises ValueError when a call is refused.
    """
    version = int(await stub.bump())
    turns = [list(_texts(org_id, key_id, size, count // callers, clock)) for _ in range(callers)]
    started = clock()
    answers = await asyncio.gather(*(_carry(stub, version, texts) for texts in turns))
    seconds = clock() - started
    admitted = sum(sum(not answer[0] for answer in json.loads(text)[1].values()) for texts in answers for text in texts)
    opened = size * (count // callers) * callers
    if admitted != opened:
        raise ValueError(f"{admitted} of {opened} calls were let in")
    return json.dumps({"decisions": opened, "seconds": seconds})


async def _carry(stub: Any, version: int, texts: list[str]) -> list[str]:
    return [await stub.batch(version, text) for text in texts]


def _texts(org_id: str, key_id: str, size: int, count: int, clock: Callable[[], float]) -> Iterator[str]:
    """Yield the batches: openings, and the settlements of the batch before; at last settlements alone."""
    now = clock()
    opened, closed, ask = _rows(org_id, key_id, datetime.fromtimestamp(now, UTC))
    deadline = int(now * 1000) + DEADLINE_MS
    before: list[str] = []
    for _ in range(count):
        names = [new_id(datetime.now(UTC)) for _ in range(size)]
        openings = [f'["{name}",{deadline},{opened.replace("@", name)},{ask}]' for name in names]
        yield f"[{','.join([*openings, *before])}]"
        before = [f'["{name}",null,{closed.replace("@", name)}]' for name in names]
    yield f"[{','.join(before)}]"


def _rows(org_id: str, key_id: str, now: datetime) -> tuple[str, str, str]:
    """Return a record at its opening and at its end, with @ for its id, and what is asked for."""
    record = UsageRecord(
        id="@", org_id=org_id, key_id=key_id, endpoint="chat.completions", model="sim/chat", provider="sim",
        upstream_model="chat", streamed=False, cause=Cause.LOST.value, status=None, estimated=True, cost_nano_usd=4_000,
        price_version="sim-1", first_byte_ms=None, duration_ms=0, started_at=time_text(now),
        **{**NO_TOKENS, "input_tokens": 40},
    )  # fmt: skip
    ended = _ended(record)
    ask = Ask({"org": org_id, "key": key_id, "model": "sim/chat"}, 40, 300, None, 4_096, 1, 16, 100, 400, 0)
    return record.to_json(), ended.to_json(), json.dumps(ask._asdict())


def _ended(record: UsageRecord) -> UsageRecord:
    """Return the record of the same call when it has ended well."""
    usage = Usage(input=40, output=10)
    return record.ended(
        Cause.FINISHED,
        usage,
        None,
        provider="p",
        upstream_model="u",
        status=200,
        estimated=False,
        first_byte_ms=5,
        duration_ms=9,
    )
