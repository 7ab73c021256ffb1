"""The way to the gates: group commit.

Requests of one isolate that reach the same gate while a call to it is under way wait and go together in the next call.
At low load the first goes at once; at high load one call carries many. A settlement is in no hurry, since no client
waits for it: it rides with the next call, and goes alone only when none comes within some milliseconds.

I/O objects must not be shared between requests, and an asyncio future would resume in the wrong one. So each request
waits for a JavaScript promise of its own, which whoever carried its row resolves with a number. When a carrier is done
it names the first that waits as the next carrier, so nobody works for others for longer than one call.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import js
from pyodide.ffi import JsException

from lib.admission.usage_record import UsageRecord
from lib.gateway.account import Account, Accounts, StaleAccount
from lib.http.errors import Unavailable
from lib.runtime import log

WAIT_SECONDS = 15
# How long a settlement waits for a call to ride with, and then how long before each further attempt to bring it alone.
SETTLE_WAITS_MS = (40, 100, 1_000, 5_000)
MOST_WAITING = 10_000

# What a waiting request may be told instead of the policy's version, which is 1 or more.
FAILED = 0
CARRY = -1
# What is sent as the version when it is not known, or nothing is to be opened.
NO_VERSION = 0


@dataclass(eq=False, slots=True)
class _Opening:
    """A row to bring to the gate, and the promise of who waits for it."""

    row: str
    version: int
    answered: Any  # a JavaScript promise with its resolvers


@dataclass(slots=True)
class _Queue:
    """What waits for one organisation's gate. Settlements are rows that nobody waits for."""

    carrying: bool = False
    opening: list[_Opening] = field(default_factory=list)
    settling: list[str] = field(default_factory=list)

    def take_openings(self, version: int) -> list[_Opening]:
        """Remove and return the openings that were judged by `version`: only those can go in one call."""
        taken = [opening for opening in self.opening if opening.version == version]
        self.opening = [opening for opening in self.opening if opening.version != version]
        return taken

    def take_settlements(self) -> list[str]:
        """Remove and return all settlements."""
        taken, self.settling = self.settling, []
        return taken


class JsGates:
    """Implements `lib.gateway.settlement.Gates` and `lib.services.OrgGates`."""

    def __init__(self, namespace: Any, accounts: Accounts) -> None:
        self._namespace = namespace
        self._accounts = accounts
        self._queues: dict[str, _Queue] = {}

    async def open(self, account: Account, record: UsageRecord, deadline: datetime) -> None:
        org_id = account.principal.org_id
        row = f'["{record.id}",{int(deadline.timestamp() * 1000)},{record.to_json()}]'
        version = account.version or NO_VERSION
        current = await self._open(org_id, row, version)
        if current != version:
            self._accounts.policy_is(org_id, current)
            raise StaleAccount

    async def settle(self, record: UsageRecord) -> None:
        org_id = record.org_id
        queue = self._queues.setdefault(org_id, _Queue())
        row = f'["{record.id}",null,{record.to_json()}]'
        queue.settling.append(row)
        for wait_ms in SETTLE_WAITS_MS:
            await js.scheduler.wait(wait_ms)
            if row not in queue.settling:
                return  # somebody took it along
            with suppress(Unavailable):
                await self._carry(org_id, queue, NO_VERSION, [])
                return
        # Not lost: it stays for the next call, and else the gate charges what was written at the opening.
        log.error("settlement_delayed", usage_id=record.id)

    async def changed(self, org_id: str) -> None:
        """An organisation's keys or models have changed in the store: from now on old copies are refused."""
        self._accounts.policy_is(org_id, int(await self._call(self._stub(org_id).bump())))

    async def flush(self, org_id: str) -> None:
        """Have the store brought up to date with what the gate has settled."""
        queue = self._queues.get(org_id)
        if queue and queue.settling:
            await self._carry(org_id, queue, NO_VERSION, [])
        await self._call(self._stub(org_id).flush())

    async def _open(self, org_id: str, row: str, version: int) -> int:
        """Bring one row to the gate; return the policy's version. Raises Unavailable."""
        queue = self._queues.setdefault(org_id, _Queue())
        if not queue.carrying:
            return await self._carry(org_id, queue, version, [row])
        if len(queue.opening) >= MOST_WAITING:
            raise Unavailable("Too many requests are waiting. Try again.")
        me = _Opening(row, version, js.Promise.withResolvers())
        queue.opening.append(me)
        try:
            answer = int(await asyncio.wait_for(me.answered.promise, WAIT_SECONDS))
        except TimeoutError:
            # Whoever carried it is gone with its request. A row may come twice, so take over.
            answer = CARRY
        if answer == CARRY:
            return await self._carry(org_id, queue, version, [row])
        if answer == FAILED:
            raise _unavailable()
        return answer

    async def _carry(self, org_id: str, queue: _Queue, version: int, own: list[str]) -> int:
        """Carry our row and what can go with it, then hand over to the first that has come meanwhile."""
        queue.carrying = True
        openings, settlements = queue.take_openings(version), queue.take_settlements()
        current = FAILED
        try:
            rows = ",".join([*own, *(opening.row for opening in openings), *settlements])
            current = int(await self._call(self._stub(org_id).batch(version, f"[{rows}]")))
        finally:
            if current == FAILED:
                queue.settling = settlements + queue.settling
            for opening in openings:
                opening.answered.resolve(current)
            self._hand_over(org_id, queue)
        return current

    def _hand_over(self, org_id: str, queue: _Queue) -> None:
        queue.carrying = bool(queue.opening)
        if queue.opening:
            queue.opening.pop(0).answered.resolve(CARRY)
        elif not queue.settling:
            self._queues.pop(org_id, None)

    def _stub(self, org_id: str) -> Any:
        return self._namespace.getByName(org_id)

    async def _call(self, promise: Any) -> Any:
        """Await a call to a gate. When it can't be reached, nothing passes: a cap that is not checked is no cap."""
        try:
            return await promise
        except JsException as error:
            log.error("gate_unreachable", reason=error.message)
            raise _unavailable() from None


def _unavailable() -> Unavailable:
    return Unavailable("The gate can't be reached. Try again.", code="gate_unavailable")
