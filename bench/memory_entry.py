"""Headgate's entry with two paths more: `/__bench/memory`, and `/__bench/ledger/ORG/MESSAGES`, which brings a batch of
full messages as the queue does. The benchmark puts it beside entry.py; no deploy has it.
"""

from __future__ import annotations

import gc
import json
import struct
from dataclasses import asdict
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import js
import pyodide_js  # type: ignore[import-not-found]  # exists only in Pyodide

from entry import Default as Headgate
from entry import Gate, Guard
from lib.admission.ledger_messages import MESSAGE_BYTES, packed
from lib.admission.usage_record import UsageRecord
from lib.ids import new_id
from lib.runtime.jobs import write_ledger
from lib.store.dialect import time_text

__all__ = ["Default", "Gate", "Guard"]

PATH = "/__bench/memory"
LEDGER = "/__bench/ledger/"
_MALLINFO_BYTES = 40  # ten 32-bit numbers
_IN_USE = 7  # `uordblks`


class Default(Headgate):
    async def fetch(self, request: Any) -> Any:
        """Tell the memory, or answer as Headgate does."""
        if LEDGER in request.url:
            org_id, messages = request.url.partition(LEDGER)[2].split("/")
            await write_ledger(self.env._env, _batch(org_id, int(messages)))  # noqa: SLF001 - as entry.py does
            return js.Response.new("written")
        if not request.url.endswith(PATH):
            return await super().fetch(request)
        gc.collect()
        return js.Response.new(json.dumps(_memory()))


def _batch(org_id: str, messages: int) -> Any:
    """Return so many messages as a gate fills them."""
    now = datetime.now(UTC)
    record = UsageRecord(
        *("", org_id, new_id(now), "chat.completions", "sim/chat", "sim", "chat", True, "finished", 200, False),
        *(1000, 0, 1000, 0, 100_000, "sim-1", 400, 9000, time_text(now)),
    )
    members = asdict(record)
    del members["org_id"]
    size = len(json.dumps({**members, "id": new_id(now)}, separators=(",", ":"))) + 1
    fits = (MESSAGE_BYTES - len(org_id) - 50) // size
    bodies = packed(org_id, [{**members, "id": new_id(now)} for _ in range(messages * fits)])
    assert len(bodies) == messages
    return SimpleNamespace(
        messages=[
            SimpleNamespace(id=str(place), body=body, ack=lambda: None, retry=lambda **_: None)
            for place, body in enumerate(bodies)
        ]
    )


def _memory() -> dict[str, int]:
    module = pyodide_js._module  # noqa: SLF001 - the only way to the WebAssembly.Memory
    return {
        "wasm_bytes": module.HEAP8.length,
        "heap_bytes": _heap_in_use(module),
        "python_objects": len(gc.get_objects()),
        "js_references": module._hiwire_num_refs(),  # noqa: SLF001
    }


def _heap_in_use(module: Any) -> int:
    """What malloc has given out. The memory itself never shrinks, and grows only when this has outgrown it."""
    place = module._malloc(_MALLINFO_BYTES)  # noqa: SLF001
    module._mallinfo(place)  # noqa: SLF001
    numbers = struct.unpack("<10i", bytes(module.HEAPU8.subarray(place, place + _MALLINFO_BYTES).to_bytes()))
    module._free(place)  # noqa: SLF001
    return int(numbers[_IN_USE])
