"""A guard against guessing as a Durable Object: `lib.defence.guessing` for one account, or for one network.

Its name says which: see `lib.defence.guard`. Only this Worker holds the binding.
"""

from __future__ import annotations

import time
from typing import Any

from workers import DurableObject

from lib.defence.guard import KNOWN, NETWORK
from lib.defence.guessing import Attempts, rule_of
from lib.defence.guessing_store import AttemptsTable
from lib.runtime import inside
from lib.runtime.objects.gate_object import JsSql
from lib.tenants.placement_store import first_told

FORGETTING_MS = 60_000  # when an object that has nothing to remember, but something on disk, forgets that


class Guard(DurableObject):
    """What is remembered of one account's attempts, or of one network's."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        inside.take_over()
        self._storage = ctx._ctx.storage
        self._sql = JsSql(self._storage)
        self._table = AttemptsTable(self._sql)
        purpose, kind, *_ = [*str(ctx._ctx.id.name).split(":", 2), ""]  # an object that can't be made refuses everybody
        self._rule = rule_of(purpose, network=kind == NETWORK)
        self._attempts = self._table.read(self._rule)
        if self._table.is_there and self._attempts.forgets_at() <= _now_ms():
            self._storage.setAlarm(_now_ms() + FORGETTING_MS)

    # None of these awaits anything, so each is one step, and no two attempts are both the first.
    def attempt(self, network: str) -> int:
        """Return how many ms to wait, or 0 or KNOWN: then it counts as under way."""
        now = _now_ms()
        wait = self._attempts.attempt(network, now)
        return KNOWN if wait == 0 and self._attempts.knows(network, now) else wait

    def failed(self, network: str) -> None:
        """Note that an attempt has failed."""
        self._attempts.failed(network, _now_ms())
        self._write()

    def succeeded(self, network: str) -> int:
        """Note that the owner has come from there; return KNOWN where it had before, else 0."""
        now = _now_ms()
        known = self._attempts.knows(network, now)
        self._attempts.succeeded(network, now)
        self._write()
        return KNOWN if known else 0

    def released(self, network: str) -> None:
        """Note that an attempt under way has ended without a result."""
        self._attempts.released(network)

    def placed(self, jurisdiction: str) -> str:
        """Return the jurisdiction that was told first; see `lib.runtime.objects.placement`."""
        return first_told(self._sql, jurisdiction)

    async def alarm(self, _info: Any = None) -> None:
        """Forget everything once it means nothing any more."""
        due = self._attempts.forgets_at()
        if due <= _now_ms():
            self._attempts = Attempts(self._rule)
            await self._storage.deleteAll()
        else:
            self._storage.setAlarm(due)

    def _write(self) -> None:
        self._table.write(self._attempts)
        self._storage.setAlarm(self._attempts.forgets_at())


def _now_ms() -> int:
    return int(time.time() * 1000)
