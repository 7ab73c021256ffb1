"""Headgate's entry with two paths more: `/__bench/lines/begin` and `/__bench/lines/end`, which tells what ran between.

The benchmark puts it beside entry.py; no deploy has it.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from types import CodeType
from typing import Any

import js

from entry import Default as Headgate
from entry import Gate, Guard
from lib.runtime import inside

__all__ = ["Default", "Gate", "Guard"]

BEGIN, END = "/__bench/lines/begin", "/__bench/lines/end"
_TOOL = 4  # the interpreter has names for others

_lines: Counter[str] = Counter()
_starts: Counter[str] = Counter()


class Default(Headgate):
    async def fetch(self, request: Any) -> Any:
        """Begin to count, tell what was counted, or answer as Headgate does."""
        url = inside.plain_request(request).url
        if url.endswith(BEGIN):
            _begin()
            return js.Response.new("")
        if url.endswith(END):
            sys.monitoring.free_tool_id(_TOOL)  # type: ignore[attr-defined] # the Worker's Python has it
            return js.Response.new(json.dumps({name: [_lines[name], _starts[name]] for name in _lines | _starts}))
        return await super().fetch(request)


def _begin() -> None:
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined] # as above
    events = monitoring.events
    monitoring.use_tool_id(_TOOL, "lines")
    monitoring.register_callback(_TOOL, events.LINE, _counting(_lines))
    monitoring.register_callback(_TOOL, events.PY_START, _counting(_starts))
    monitoring.set_events(_TOOL, events.LINE | events.PY_START)


def _counting(counted: Counter[str]) -> Callable[[CodeType, int], None]:
    def count(code: CodeType, _where: int) -> None:
        counted[code.co_filename] += 1

    return count
