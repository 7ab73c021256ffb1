"""The way to the gates: group commit.

Requests of one isolate that reach the same gate while a call to it is under way wait and go together in the next call.
At low load the first goes at once; at high load one call carries many. Settlements go before the openings of their
call: what has been answered is not under way. A settlement is in no hurry, unless its call has nearly used up what a
rule gives: it rides with the next call, and goes alone only when none comes within some milliseconds.

I/O objects must not be shared between requests, and an asyncio future would resume in the wrong one. So each request
waits for a JavaScript promise of its own, which whoever carried its row resolves once the answer lies beside it. When a
carrier is done it names the first that waits as the next carrier, so nobody works for others for longer than one call,
unless more settlements wait than one takes. `gate_queue.py` has what waits, `gate_calls.py` makes the call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import js

from lib.admission import protocol
from lib.admission.decision import Ask
from lib.admission.protocol import NO_VERSION, Answer, BatchAnswer
from lib.gateway.call.admitting import Admitted, admitted
from lib.gateway.call.gate_client import GateClient, judged_by
from lib.gateway.callers.caller import Caller
from lib.gateway.callers.callers import MOST_CACHED, Callers
from lib.kernel import failures
from lib.kernel.bounded import Bounded
from lib.kernel.errors import BadRequest, Unavailable
from lib.kernel.failures import Failure
from lib.ledger.usage_record import UsageRecord
from lib.runtime.lines import Lines
from lib.runtime.objects import place as place_of
from lib.runtime.objects.gate_calls import GateBroke, GateCalls, unavailable
from lib.runtime.objects.gate_queue import FAILED, MOST_ROW_CHARACTERS, MOST_WAITING, Opening, Queue

WAIT_MS = 12_000  # somewhat longer than a call may last
# How long a settlement waits for a call to ride with, and then how long before each further attempt to bring it alone.
SETTLE_WAITS_MS = (40, 100, 1_000, 5_000)
# Of so many calls is remembered which region has let them in.
MOST_NEAR = 20_000


class JsGates(GateClient):
    """Implements `lib.gateway.call.settlement.Gates`, by way of the calls of an isolate to a namespace of gates."""

    def __init__(self, calls: GateCalls, callers: Callers) -> None:
        super().__init__(calls, callers)
        self._queues: dict[str, Queue] = {}
        self._lines = Lines()
        self._leasing: Bounded[str, bool] = Bounded(MOST_CACHED)  # organisations whose regions may decide
        self._near: dict[str, str] = {}  # calls that a region has let in, and the name of its gate
        # Organisations without limits and budgets, at this version of their policy.
        self._ruleless: Bounded[str, int] = Bounded(MOST_CACHED)

    async def open(self, account: Caller, record: UsageRecord, deadline: datetime, ask: Callable[[], Ask]) -> Admitted:
        org_id = account.principal.org_id
        version = judged_by(account)
        # What a call may take is long to work out, and the gate of an organisation without rules does not look at it.
        asked = None if self._ruleless.get(org_id) == version else ask()
        row = protocol.opening(record, int(deadline.timestamp() * 1000), asked)

        if len(row) > MOST_ROW_CHARACTERS:  # all of its texts are bounded far below
            raise BadRequest("What the call is counted on is too much.")

        # Not where the account is newer than any version: which that is, only the home can tell.
        if org_id in self._leasing and version > NO_VERSION and (region := place_of.region()):
            near = f"{org_id}@{region}"
            current, answer = await self._open(near, record.id, row, version)
            if current == version and (answer is None or not answer.code):
                self._note_near(record.id, near)
                return admitted(answer)

        def opened() -> Awaitable[tuple[int, Answer | None]]:
            return self._open(org_id, record.id, row, version)

        current, answer = told = await opened()
        if answer is not None and answer.hoped is not None:
            place = answer.rule, answer.hoped
            current, answer = await self._lines.ask_again(org_id, place, told, opened, _is_hopeful)
        self._confirm(account, current)
        if asked is not None and answer is None and current == version:
            self._ruleless.put(org_id, version)
        return admitted(answer)

    def leave(self, record: UsageRecord) -> None:
        self._queue(self._gate_of(record)).leave(record.id, protocol.settlement(record))
        self._lines.wake(record.org_id)

    async def delivered(self, record: UsageRecord, *, at_once: bool) -> None:
        org_id, name = self._gate_of(record), record.id
        self._near.pop(name, None)
        queue = self._queues.get(org_id)
        if queue is None:
            return
        for wait_ms in SETTLE_WAITS_MS:
            if not at_once:
                await js.scheduler.wait(wait_ms)
            at_once = False
            with suppress(Unavailable):
                await self._bring(org_id, queue, name)
            if queue.waits(name) is None:
                return
        # Whoever took it along may be gone with its request. A row may come twice.
        row = queue.waits(name)
        if row is None:
            return
        try:
            await self._alone(org_id, queue, name, row)
        except Unavailable:
            # It stays for the next call, and else the gate charges what was written at the opening. Where the gate
            # breaks at it, nobody brings it again.
            queue.doubtful.pop(name, None)
            failures.note(Failure.SETTLEMENT_UNDELIVERED, f"the call {name}")

    async def flush(self, org_id: str) -> None:
        """Have the store brought up to date with what the gate has settled."""
        for name in [name for name in self._queues if name.partition("@")[0] == org_id]:
            queue = self._queue(name)
            queue.take_back_lost()
            while queue.settling:
                await self._settle(name, queue)
        await self._calls.call(org_id, "flush")

    async def _open(self, org_id: str, name: str, row: str, version: int) -> tuple[int, Answer | None]:
        """Bring one row to the gate; return the policy's version, and what its rules say. Raises Unavailable."""
        me, queue = Opening(name, row, version), self._queue(org_id)
        if queue.is_free():
            return await self._carry(org_id, queue, me)
        if len(queue.opening) >= MOST_WAITING:
            raise Unavailable("Too many requests are waiting. Try again.")
        queue.opening.append(me)
        try:
            await self._wait(org_id, me)
        finally:
            if me.told is None and me in queue.opening:  # nobody wants it any more
                queue.opening.remove(me)
        if me.told is None:
            return await self._carry(org_id, self._queue(org_id), me)
        if me.told[0] == FAILED:
            raise unavailable()
        return me.told

    async def _wait(self, org_id: str, me: Opening) -> None:
        """Wait until it is told, or is to carry: as the next, or because who carried is gone with its request.

        Whoever sees that first takes over for all, so that a gate that is slow is not asked by each of them: a row that
        is on its way is waited for, and one that still stands in line behind a call when its time is over is given up.
        """
        wait_ms: float = WAIT_MS
        while True:
            # A timer of the platform's alone: asyncio's costs as much as the rest of the wait.
            me.woken = js.Promise.withResolvers()
            timer = js.setTimeout(me.woken.resolve, wait_ms)
            await me.woken.promise
            js.clearTimeout(timer)
            if me.told is not None or me.carries:
                return
            queue = self._queue(org_id)
            if queue.is_free():
                queue.take_back_lost()
                return
            wait_ms = queue.patience(me) * 1000
            if wait_ms <= 0:
                raise unavailable()

    async def _carry(self, org_id: str, queue: Queue, own: Opening) -> tuple[int, Answer | None]:
        """Carry our row and what can go with it, then hand over to the first that has come meanwhile.

        The settlements that wait go before it, in several calls where they are very many.
        """
        try:
            while own.told is None:
                queue.begin()
                await self._send(org_id, queue, own.version, own)
        finally:
            queue.hand_over()
            self._drop_idle(org_id, queue)
        if own.told[0] == FAILED:
            raise unavailable()
        return own.told

    async def _bring(self, org_id: str, queue: Queue, name: str) -> None:
        """Bring a settlement, unless somebody has taken it along."""
        if name in queue.doubtful:
            await self._alone(org_id, queue, name, queue.doubtful[name])
        while name in queue.settling:
            await self._settle(org_id, queue)

    async def _settle(self, org_id: str, queue: Queue) -> None:
        """Bring settlements without waiting for a call to ride with."""
        try:
            await self._send(org_id, queue, NO_VERSION, None)
        finally:
            self._drop_idle(org_id, queue)

    async def _alone(self, org_id: str, queue: Queue, name: str, row: str) -> None:
        """Bring one settlement in a call of its own."""
        await self._calls.call(org_id, "batch", NO_VERSION, protocol.batch([row]))
        queue.settled(name, row)
        self._drop_idle(org_id, queue)

    async def _send(self, org_id: str, queue: Queue, version: int, own: Opening | None) -> None:
        """Make one call with what goes in it. Raises Unavailable."""
        load = queue.load(version, own)
        told: BatchAnswer | None = None
        try:
            answered = await self._calls.call(org_id, "batch", version, load.text())
            told = self._read(org_id, answered)
            queue.arrived(load)
        except Unavailable as error:
            told = BatchAnswer(FAILED)
            queue.failed(load, broke=isinstance(error, GateBroke))
            raise
        finally:
            if told is None:  # we are thrown away with our request: they go without us
                queue.give_back(load)
            else:
                for opening in load.openings:
                    opening.tell(told)

    def _read(self, name: str, answered: Any) -> BatchAnswer:
        """Read what a gate has told, and note whether the organisation's regions may decide: see docs/scaling.md."""
        told = protocol.told_of(answered)
        if told.leased and name not in self._leasing:
            self._leasing.put(name, True)
            place_of.want()
        elif not told.leased and name in self._leasing:
            self._leasing.pop(name)
        return told

    def _note_near(self, call_id: str, name: str) -> None:
        if len(self._near) >= MOST_NEAR:  # of calls that were thrown away with their requests
            self._near.pop(next(iter(self._near)))
        self._near[call_id] = name

    def _gate_of(self, record: UsageRecord) -> str:
        return self._near.get(record.id, record.org_id)

    def _queue(self, org_id: str) -> Queue:
        queue = self._queues.get(org_id)
        if queue is None:
            queue = self._queues[org_id] = Queue()
        return queue

    def _drop_idle(self, org_id: str, queue: Queue) -> None:
        if queue.is_idle() and self._queues.get(org_id) is queue:
            del self._queues[org_id]


def _is_hopeful(told: tuple[int, Answer | None]) -> bool:
    return told[1] is not None and told[1].hoped is not None
