"""The way to the gates: group commit.

Requests of one isolate that reach the same gate while a call to it is under way wait and go together in the next call.
At low load the first goes at once; at high load one call carries many (`docs/PLATFORM.md` has the figures).

I/O objects must not be shared between requests, and an asyncio future would resume in the wrong one. So each request
waits for a JavaScript promise of its own, which whoever carried its message resolves. When a carrier is done it names
the first that waits as the next carrier, so nobody works for others for longer than one call.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import js
from pyodide.ffi import JsException

from lib.admission.usage_record import UsageRecord
from lib.gateway.account import Account, Accounts, StaleAccount
from lib.http.errors import Unavailable
from lib.runtime import log

WAIT_SECONDS = 5
SETTLE_ATTEMPTS = 3
MOST_WAITING = 1_000
CARRY = "carry"  # the answer that makes who gets it the next carrier


@dataclass(slots=True)
class _Waiting:
    message: Sequence[Any]
    answered: Any  # a JavaScript promise with its resolvers


class JsGates:
    """Implements `lib.gateway.settlement.Gates`, and tells gates of changes."""

    def __init__(self, namespace: Any, accounts: Accounts) -> None:
        self._namespace = namespace
        self._accounts = accounts
        self._waiting: dict[str, list[_Waiting]] = {}  # by organisation; a key is there while a call is under way

    async def open(self, account: Account, record: UsageRecord, deadline: datetime) -> None:
        org_id = account.principal.org_id
        deadline_ms = int(deadline.timestamp() * 1000)
        answer = await self._send(org_id, ["open", record.id, account.version, deadline_ms, record.to_json()])
        if "stale" in answer:
            self._accounts.policy_is(org_id, answer["stale"])
            raise StaleAccount

    async def settle(self, record: UsageRecord) -> None:
        message = ["settle", record.id, record.to_json()]
        for attempt in range(1, SETTLE_ATTEMPTS + 1):
            try:
                await self._send(record.org_id, message)
            except Unavailable:
                if attempt == SETTLE_ATTEMPTS:
                    # Not lost: the gate charges what was written at the opening, once the deadline is over.
                    log.error("settlement_failed", usage_id=record.id, record=json.loads(record.to_json()))
            else:
                return

    async def changed(self, org_id: str) -> None:
        """An organisation's keys or models have changed in the store: from now on old copies are refused."""
        self._accounts.policy_is(org_id, int(await self._call(self._stub(org_id).bump())))

    async def flush(self, org_id: str) -> None:
        """Have the store brought up to date with what the gate has settled."""
        await self._call(self._stub(org_id).flush())

    async def _send(self, org_id: str, message: Sequence[Any]) -> dict[str, Any]:
        queue = self._waiting.get(org_id)
        if queue is None:
            self._waiting[org_id] = []
            return await self._carry(org_id, [message])
        if len(queue) >= MOST_WAITING:
            raise Unavailable("Too many requests are waiting. Try again.")
        me = _Waiting(message, js.Promise.withResolvers())
        queue.append(me)
        try:
            answer = await asyncio.wait_for(me.answered.promise, WAIT_SECONDS)
        except TimeoutError:
            # Whoever carried it is gone with its request. Messages may come twice, so go alone.
            self._waiting.pop(org_id, None)
            return await self._carry_alone(org_id, message)
        if answer == CARRY:
            return await self._carry(org_id, [me.message])
        return _answer(answer)

    async def _carry(self, org_id: str, own: list[Sequence[Any]]) -> dict[str, Any]:
        """Carry our message and all that wait now, then hand over to the first of those that came meanwhile."""
        carried = self._waiting.get(org_id, [])
        self._waiting[org_id] = []
        texts: list[str] = []
        try:
            texts = await self._batch(org_id, own + [waiting.message for waiting in carried])
        finally:
            for index, waiting in enumerate(carried):
                waiting.answered.resolve(texts[index + 1] if texts else "")
            self._hand_over(org_id)
        return _answer(texts[0])

    def _hand_over(self, org_id: str) -> None:
        queue = self._waiting.get(org_id)
        if queue:
            queue.pop(0).answered.resolve(CARRY)
        else:
            self._waiting.pop(org_id, None)

    async def _carry_alone(self, org_id: str, message: Sequence[Any]) -> dict[str, Any]:
        return _answer((await self._batch(org_id, [message]))[0])

    async def _batch(self, org_id: str, messages: list[Sequence[Any]]) -> list[str]:
        answers = json.loads(str(await self._call(self._stub(org_id).batch(json.dumps(messages)))))
        return [json.dumps(answer) for answer in answers]

    def _stub(self, org_id: str) -> Any:
        return self._namespace.getByName(org_id)

    async def _call(self, promise: Any) -> Any:
        """Await a call to a gate. When it can't be reached, nothing passes: a cap that is not checked is no cap."""
        try:
            return await promise
        except JsException as error:
            log.error("gate_unreachable", reason=error.message)
            raise Unavailable("The gate can't be reached. Try again.", code="gate_unavailable") from None


def _answer(text: str) -> dict[str, Any]:
    if not text:
        raise Unavailable("The gate can't be reached. Try again.", code="gate_unavailable")
    answer: dict[str, Any] = json.loads(text)
    return answer
