"""Durable Objects from inside: their storage's limits, and alarms that are late and ring twice."""

from __future__ import annotations

from typing import Any

import js

from tools.production.database import ObjectSql
from tools.production.rules import RESET, Settings

LATE_SHARE = 0.25  # of the alarms; the others ring in time
TWICE_SHARE = 0.25


class ObjectContext:
    """An object's `ctx`. What has no rule of its own is the platform's."""

    def __init__(self, ctx: Any, settings: Settings) -> None:
        self._real = ctx
        self.storage = ObjectStorage(ctx.storage, settings)

    def reset(self) -> None:
        """Throw the object away, as a deploy does."""
        # In a turn of its own, which Python has no part in: an abort ends the turn and all that still waits in it.
        js.setTimeout(self._real.abort.bind(self._real, RESET), 1)

    @property
    def abort(self) -> Abort:
        return Abort(self._real)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Abort:
    """The function `abort` of an object's context. It wants the platform's own context, and not ours."""

    def __init__(self, ctx: Any) -> None:
        self._ctx = ctx

    def bind(self, _ours: object, reason: str) -> Any:
        return self._ctx.abort.bind(self._ctx, reason)


class ObjectStorage:
    """An object's storage."""

    def __init__(self, storage: Any, settings: Settings) -> None:
        self._real = storage
        self._late_ms = settings.alarm_late_seconds * 1000
        self._chance = settings.chance
        self.sql = ObjectSql(storage.sql)

    def setAlarm(self, due_ms: float, *options: Any) -> Any:
        late = self._chance.random() * self._late_ms if self._chance.random() < LATE_SHARE else 0
        return self._real.setAlarm(due_ms + late, *options)

    def rings_twice(self) -> bool:
        """Tell whether this alarm does. It is delivered at least once."""
        return self._chance.random() < TWICE_SHARE

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
