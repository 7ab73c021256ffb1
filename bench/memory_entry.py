"""Headgate's entry with one path more, `/__bench/memory`. The benchmark puts it beside entry.py; no deploy has it."""

from __future__ import annotations

import gc
import json
import struct
from typing import Any

import js
import pyodide_js  # type: ignore[import-not-found]  # exists only in Pyodide

from entry import Default as Headgate
from entry import Gate, Guard

__all__ = ["Default", "Gate", "Guard"]

PATH = "/__bench/memory"
_MALLINFO_BYTES = 40  # ten 32-bit numbers
_IN_USE = 7  # `uordblks`


class Default(Headgate):
    async def fetch(self, request: Any) -> Any:
        """Tell the memory, or answer as Headgate does."""
        if not request.url.endswith(PATH):
            return await super().fetch(request)
        gc.collect()
        return js.Response.new(json.dumps(_memory()))


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
