"""Headgate's entry with paths that tell the memory and the rows that gates have read, and one for the hourly work.

The benchmark puts it beside entry.py; no deploy has it.
"""

from __future__ import annotations

import json
from typing import Any

import js
from memory_entry import Default as WithMemory  # type: ignore[import-not-found] # it is put beside this one
from memory_entry import Guard

from lib.runtime import inside
from lib.runtime.objects import gate_object
from lib.runtime.objects.gate_object import Gate
from lib.worker.jobs import hourly

__all__ = ["Default", "Gate", "Guard"]

_READ = 0


class _Counted:
    """The object's `sql`, which counts the rows that its statements read: each costs money in production."""

    def __init__(self, sql: Any) -> None:
        self._sql = sql
        self._last: Any = None

    def exec(self, sql: str, *values: str | int) -> Any:
        self._count()
        self._last = self._sql.exec(sql, *values)
        return self._last

    def _count(self) -> None:
        global _READ  # noqa: PLW0603 - one isolate, one count
        if self._last is not None:
            _READ += int(self._last.rowsRead)


_make = gate_object.JsSql.__init__


def _made(self: gate_object.JsSql, storage: Any) -> None:
    _make(self, storage)
    self._sql = _Counted(self._sql)


gate_object.JsSql.__init__ = _made  # type: ignore[method-assign]


class Default(WithMemory):  # type: ignore[misc]
    async def fetch(self, request: Any) -> Any:
        """Tell, work, or answer as Headgate does."""
        if request.url.endswith("/__bench/rows"):
            return js.Response.new(json.dumps({"gate": _READ}))
        if request.url.endswith("/__bench/hourly"):
            await hourly(inside.plain_env(self.env))
            return js.Response.new("{}")
        return await super().fetch(request)
