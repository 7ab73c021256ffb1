"""Headgate's entry with the path that tells its memory, and `/__bench/collect`, which collects all garbage.

The benchmark puts it beside entry.py; no deploy has it. V8 has to run with `--expose-gc`.
"""

from __future__ import annotations

import gc
from typing import Any

import js
from memory_entry import Default as WithMemory  # type: ignore[import-not-found] # it is put beside this one
from memory_entry import Gate, Guard

__all__ = ["Default", "Gate", "Guard"]

PATH = "/__bench/collect"


class Default(WithMemory):  # type: ignore[misc]
    async def fetch(self, request: Any) -> Any:
        """Collect, or answer as Headgate does."""
        if not request.url.endswith(PATH):
            return await super().fetch(request)
        gc.collect()
        js.gc()
        return js.Response.new("{}")
