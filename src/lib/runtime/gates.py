"""The way to the gates: group commit.

Requests of one isolate that reach the same gate while a call to it is under way wait and go together in the next call.
At low load the first goes at once; at high load one call carries many. Settlements go before the openings of their
call: what has been answered is not under way. A settlement is in no hurry, unless its call has nearly used up what a
rule gives: it rides with the next call, and goes alone only when none comes within some milliseconds.

I/O objects must not be shared between requests, and an asyncio future would resume in the wrong one. So each request
waits for a JavaScript promise of its own, which whoever carried its row resolves with a number, once the answer lies
beside it. When a carrier is done it names the first that waits as the next carrier, so nobody works for others for
longer than one call.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import js
from pydantic_core import from_json
from pyodide.ffi import JsException

from lib import failures
from lib.admission.counters import Counted, Counter, Place, Remembered
from lib.admission.decision import Ask, Refusal
from lib.admission.usage_record import UsageRecord
from lib.failures import Failure
from lib.gateway.account import Account, StaleAccount
from lib.gateway.accounts import MOST_CACHED, Accounts
from lib.gateway.admitting import Admitted, admitted, hoped_place
from lib.http import json_body
from lib.http.errors import Unavailable
from lib.runtime.lines import Lines

Answer = Sequence[Any]  # what the rules say of one call: see `lib.gateway.admitting`
Told = tuple[int, Mapping[str, Answer]]  # the policy's version, and the answers by the calls' ids

WAIT_MS = 15_000
# How long a settlement waits for a call to ride with, and then how long before each further attempt to bring it alone.
SETTLE_WAITS_MS = (40, 100, 1_000, 5_000)
MOST_WAITING = 10_000

# What a waiting request is told when its answer lies beside the promise. All else means that it is to carry its row
# itself: it is the next, or its time is over and the timer has told nothing.
ANSWERED = 1
CARRY = 2
# The version in place of the policy's, which is 1 or more, when a call has failed.
FAILED = 0
# What is sent as the version when it is not known, or nothing is to be opened.
NO_VERSION = 0


@dataclass(eq=False, slots=True)
class _Opening:
    """A row to bring to the gate, and the promise of who waits for it."""

    id: str
    row: str
    version: int
    answered: Any  # a JavaScript promise with its resolvers
    told: tuple[int, Answer | None] = (FAILED, None)  # the policy's version, and what its rules say


_NOT_CARRIED = ("", 0.0)


@dataclass(slots=True)
class _Queue:
    """What waits for one organisation's gate. Settlements are rows by their calls' ids, for which nobody waits."""

    carrying: bool = False
    opening: list[_Opening] = field(default_factory=list)
    settling: dict[str, str] = field(default_factory=dict)
    carried: dict[str, tuple[str, float]] = field(default_factory=dict)  # on their way in a call, and since when

    def take_openings(self, version: int) -> list[_Opening]:
        """Remove and return the openings that were judged by `version`: only those can go in one call."""
        taken = [opening for opening in self.opening if opening.version == version]
        self.opening = [opening for opening in self.opening if opening.version != version]
        return taken

    def take_settlements(self) -> dict[str, str]:
        """Move all settlements to those that are on their way, and return them.

        Whoever has carried one for so long was thrown away with its request, and nothing of it ran: it goes again.
        """
        now = time.time()
        gone = {name: row for name, (row, since) in self.carried.items() if now - since >= WAIT_MS / 1000}
        taken, self.settling = gone | self.settling, {}
        self.carried |= {name: (row, now) for name, row in taken.items()}
        return taken

    def arrived(self, taken: Mapping[str, str], *, safely: bool) -> None:
        """Note how a call with settlements has ended: they are done with, or wait again."""
        for name, row in taken.items():
            if self.carried.get(name, _NOT_CARRIED)[0] == row:
                del self.carried[name]
            if safely and self.settling.get(name) == row:
                del self.settling[name]
            if not safely:
                self.settling.setdefault(name, row)


class JsGates:
    """Implements `lib.gateway.settlement.Gates` and `lib.services.OrgGates`."""

    def __init__(self, namespace: Any, accounts: Accounts) -> None:
        self._namespace = namespace
        self._accounts = accounts
        self._queues: dict[str, _Queue] = {}
        self._lines = Lines()
        self._ruleless: dict[str, int] = {}  # organisations without limits and budgets, at this version of their policy

    async def open(self, account: Account, record: UsageRecord, deadline: datetime, ask: Callable[[], Ask]) -> Admitted:
        org_id = account.principal.org_id
        version = account.version or NO_VERSION
        # What a call may take is long to work out, and the gate of an organisation without rules does not look at it.
        asked = "" if self._ruleless.get(org_id) == version else f",{json_body.dump(ask()).decode()}"
        row = f'["{record.id}",{int(deadline.timestamp() * 1000)},{record.to_json()}{asked}]'

        def opened() -> Awaitable[tuple[int, Answer | None]]:
            return self._open(org_id, record.id, row, version)

        current, answer = told = await opened()
        if (place := hoped_place(answer)) is not None:
            current, answer = await self._lines.ask_again(org_id, place, told, opened, _is_hopeful)
        self._confirm(account, current)
        if answer is None:
            self._note_ruleless(org_id, version)
        return admitted(answer)

    def leave(self, record: UsageRecord) -> None:
        row = f'["{record.id}",null,{record.to_json()}]'
        self._queues.setdefault(record.org_id, _Queue()).settling[record.id] = row
        self._lines.wake(record.org_id)

    async def delivered(self, record: UsageRecord, *, at_once: bool) -> None:
        org_id, name = record.org_id, record.id
        queue = self._queues.get(org_id)
        if queue is None:
            return
        for wait_ms in SETTLE_WAITS_MS:
            if not at_once:
                await js.scheduler.wait(wait_ms)
            at_once = False
            if name in queue.settling:
                with suppress(Unavailable):
                    await self._carry(org_id, queue, NO_VERSION, [])
                    return
            elif name not in queue.carried:
                return  # somebody took it along
        # Whoever took it along may be gone with its request. A row may come twice.
        row = queue.settling.get(name) or queue.carried.get(name, _NOT_CARRIED)[0]
        if not row:
            return
        try:
            await self._call(self._stub(org_id).batch(NO_VERSION, f"[{row}]"))
            queue.arrived({name: row}, safely=True)
        except Unavailable:
            # Not lost: it stays for the next call, and else the gate charges what was written at the opening.
            failures.note(Failure.SETTLEMENT_UNDELIVERED, f"the call {name}")

    async def confirm(self, account: Account) -> None:
        told = await self._call(self._stub(account.principal.org_id).batch(account.version or NO_VERSION, "[]"))
        self._confirm(account, json.loads(told)[0] if isinstance(told, str) else int(told))

    async def changed(self, org_id: str) -> None:
        """An organisation's keys or models have changed in the store: from now on old copies are refused."""
        await self._call(self._stub(org_id).bump())  # first: who is revoked is refused, also when the store is away now
        self._accounts.policy_is(org_id, int(await self._call(self._stub(org_id).rules())))

    async def flush(self, org_id: str) -> None:
        """Have the store brought up to date with what the gate has settled."""
        queue = self._queues.get(org_id)
        if queue and queue.settling:
            await self._carry(org_id, queue, NO_VERSION, [])
        await self._call(self._stub(org_id).flush())

    async def _open(self, org_id: str, name: str, row: str, version: int) -> tuple[int, Answer | None]:
        """Bring one row to the gate; return the policy's version, and what its rules say. Raises Unavailable."""
        queue = self._queues.setdefault(org_id, _Queue())
        if not queue.carrying:
            return _of(name, await self._carry(org_id, queue, version, [row]))
        if len(queue.opening) >= MOST_WAITING:
            raise Unavailable("Too many requests are waiting. Try again.")
        me = _Opening(name, row, version, js.Promise.withResolvers())
        queue.opening.append(me)
        # Should whoever carries it be gone with its request, take over: a row may come twice. A timer of the platform's
        # alone: asyncio's costs as much as the rest of the wait.
        timer = js.setTimeout(me.answered.resolve, WAIT_MS)
        told = await me.answered.promise
        js.clearTimeout(timer)
        if told != ANSWERED:
            if me in queue.opening:
                queue.opening.remove(me)
            return _of(name, await self._carry(org_id, queue, version, [row]))
        if me.told[0] == FAILED:
            raise _unavailable()
        return me.told

    async def _carry(self, org_id: str, queue: _Queue, version: int, own: list[str]) -> Told:
        """Carry our row and what can go with it, then hand over to the first that has come meanwhile."""
        # Who carries for one that was thrown away has a queue that may be gone: what waits is in the present one.
        queue = self._queues.setdefault(org_id, queue)
        queue.carrying = True
        openings, settlements = queue.take_openings(version), queue.take_settlements()
        told: Told | None = None
        try:
            rows = ",".join([*settlements.values(), *own, *(opening.row for opening in openings)])
            answered = await self._call(self._stub(org_id).batch(version, f"[{rows}]"))
            told = tuple(from_json(answered)) if isinstance(answered, str) else (int(answered), {})
        except Unavailable:
            told = (FAILED, {})
            raise
        finally:
            queue.arrived(settlements, safely=told is not None and told[0] != FAILED)
            for opening in openings:
                if told is None:  # we are thrown away with our request: they go by themselves
                    opening.answered.resolve(CARRY)
                else:
                    opening.told = _of(opening.id, told)
                    opening.answered.resolve(ANSWERED)
            self._hand_over(org_id, queue)
        return told

    async def counters(self, org_id: str) -> Mapping[str, Counter]:
        """Return how far each limit and budget is used up, by its id."""
        parsed = json.loads(await self._call(self._stub(org_id).counters()))
        return {rule: Counter(*parts) for rule, parts in parsed.items()}

    async def accounts(self, org_id: str, budget_id: str, after: str, most: int) -> Counted | None:
        """Return what a budget has counted, for the subjects behind `after`; None where the gate knows no such one."""
        now, told = json.loads(await self._call(self._stub(org_id).accounts(budget_id, after, most)))
        return None if told is None else Counted.of(now, told)

    async def places(self, org_id: str, call_ids: Sequence[str]) -> Mapping[str, Sequence[Place]]:
        """Return the budgets on which calls count, by the call's id."""
        told = json.loads(await self._call(self._stub(org_id).places(json.dumps(call_ids))))
        return {name: [Place(*place) for place in places] for name, places in told.items()}

    async def remembered(self, org_id: str, after: str, most: int) -> Sequence[Remembered]:
        """Return calls that have ended, behind the id `after`, as long as the gate remembers them: a day."""
        return [Remembered.of(one) for one in json.loads(await self._call(self._stub(org_id).remembered(after, most)))]

    async def refused(self, org_id: str) -> int:
        """Return how many records the store has refused for good."""
        return int(await self._call(self._stub(org_id).refused()))

    async def explain(self, org_id: str, ask: Ask) -> Refusal | None:
        """Return why a call would be refused now, or None. Nothing is counted."""
        refusal = json.loads(await self._call(self._stub(org_id).explain(json_body.dump(ask).decode())))
        return Refusal(*refusal) if refusal else None

    def _confirm(self, account: Account, current: int) -> None:
        if current != (account.version or NO_VERSION):
            self._accounts.policy_is(account.principal.org_id, current)
            raise StaleAccount

    def _note_ruleless(self, org_id: str, version: int) -> None:
        if len(self._ruleless) >= MOST_CACHED:
            self._ruleless.clear()
        self._ruleless[org_id] = version

    def _hand_over(self, org_id: str, queue: _Queue) -> None:
        queue.carrying = bool(queue.opening)
        if queue.opening:
            queue.opening.pop(0).answered.resolve(CARRY)
        elif not queue.settling and not queue.carried and self._queues.get(org_id) is queue:
            del self._queues[
                org_id
            ]  # not while anything is carried: who does may be gone, and then it is still to bring

    def _stub(self, org_id: str) -> Any:
        return self._namespace.getByName(org_id)

    async def _call(self, promise: Any) -> Any:
        """Await a call to a gate. When it can't be reached, nothing passes: a cap that is not checked is no cap."""
        try:
            return await promise
        except JsException as error:
            failures.note(Failure.GATE_UNREACHABLE, str(error.message))
            raise _unavailable() from None


def _is_hopeful(told: tuple[int, Answer | None]) -> bool:
    return hoped_place(told[1]) is not None


def _of(name: str, told: Told) -> tuple[int, Answer | None]:
    current, answers = told
    return current, answers.get(name)


def _unavailable() -> Unavailable:
    return Unavailable("The gate can't be reached. Try again.", code="gate_unavailable")
