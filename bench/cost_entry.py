"""Headgate's entry with one path more, `/__bench/gate`: the rows that gates have read and written so far.

The benchmark puts it beside entry.py; no deploy has it.
"""

from __future__ import annotations

import json
from typing import Any

import js

from entry import Default as Headgate
from entry import Gate, Guard
from lib.runtime.objects import gate_object

__all__ = ["Default", "Gate", "Guard"]

PATH = "/__bench/gate"
_COUNTS = {"read": 0, "written": 0}


class _Counted:
    """The object's `sql`. A cursor knows its rows when it has been read: so each counts when the next one is made."""

    def __init__(self, sql: Any) -> None:
        self._sql = sql
        self._last: Any = None

    def exec(self, sql: str, *values: str | int) -> Any:
        if self._last is not None:
            _COUNTS["read"] += int(self._last.rowsRead)
            _COUNTS["written"] += int(self._last.rowsWritten)
        self._last = self._sql.exec(sql, *values)
        return self._last


_make = gate_object.JsSql.__init__


def _made(self: gate_object.JsSql, storage: Any) -> None:
    _make(self, storage)
    self._sql = _Counted(self._sql)


gate_object.JsSql.__init__ = _made  # type: ignore[method-assign]


class Default(Headgate):
    async def fetch(self, request: Any) -> Any:
        """Tell the rows, or answer as Headgate does."""
        if not request.url.endswith(PATH):
            return await super().fetch(request)
        return js.Response.new(json.dumps(_COUNTS))
