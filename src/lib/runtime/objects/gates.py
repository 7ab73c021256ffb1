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

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import js
from pydantic_core import from_json

from lib.admission.counters import Counted, Counter, Place, Remembered
from lib.admission.decision import Ask, Refusal
from lib.admission.gate import IS_NEW
from lib.gateway.call.admitting import Admitted, admitted, hoped_place
from lib.gateway.callers.caller import Caller, StaleAccount
from lib.gateway.callers.callers import MOST_CACHED, Callers
from lib.kernel import failures
from lib.kernel.bounded import Bounded
from lib.kernel.errors import BadRequest, Unavailable
from lib.kernel.failures import Failure
from lib.ledger.usage_record import UsageRecord
from lib.runtime.lines import Lines
from lib.runtime.objects import place as place_of
from lib.runtime.objects.gate_calls import GateBroke, GateCalls, unavailable
from lib.runtime.objects.gate_queue import FAILED, MOST_ROW_CHARACTERS, MOST_WAITING, Answer, Opening, Queue, Told

WAIT_MS = 12_000  # somewhat longer than a call may last
# How long a settlement waits for a call to ride with, and then how long before each further attempt to bring it alone.
SETTLE_WAITS_MS = (40, 100, 1_000, 5_000)
# Of so many calls is remembered which region has let them in.
MOST_NEAR = 20_000

# What is sent as the version when it is not known, or nothing is to be opened.
NO_VERSION = 0


class JsGates:
    """Implements `lib.gateway.call.settlement.Gates` and `lib.web.app.OrgGates`."""

    def __init__(self, calls: GateCalls, accounts: Callers) -> None:
        self._calls = calls
        self._accounts = accounts
        self._queues: dict[str, Queue] = {}
        self._lines = Lines()
        self._leasing: Bounded[str, bool] = Bounded(MOST_CACHED)  # organisations whose regions may decide
        self._near: dict[str, str] = {}  # calls that a region has let in, and the name of its gate
        # Organisations without limits and budgets, at this version of their policy.
        self._ruleless: Bounded[str, int] = Bounded(MOST_CACHED)

    async def open(self, account: Caller, record: UsageRecord, deadline: datetime, ask: Callable[[], Ask]) -> Admitted:
        org_id = account.principal.org_id
        version = _judged_by(account)
        # What a call may take is long to work out, and the gate of an organisation without rules does not look at it.
        asked = "" if self._ruleless.get(org_id) == version else f",{ask().to_json()}"
        row = f'["{record.id}",{int(deadline.timestamp() * 1000)},{record.to_json()}{asked}]'

        if len(row) > MOST_ROW_CHARACTERS:  # all of its texts are bounded far below
            raise BadRequest("What the call is counted on is too much.")

        # Not where the account is newer than any version: which that is, only the home can tell.
        if org_id in self._leasing and version > NO_VERSION and (region := place_of.region()):
            near = f"{org_id}@{region}"
            current, answer = await self._open(near, record.id, row, version)
            if current == version and (answer is None or not answer[0]):
                self._note_near(record.id, near)
                return admitted(answer)

        def opened() -> Awaitable[tuple[int, Answer | None]]:
            return self._open(org_id, record.id, row, version)

        current, answer = told = await opened()
        if (place := hoped_place(answer)) is not None:
            current, answer = await self._lines.ask_again(org_id, place, told, opened, _is_hopeful)
        self._confirm(account, current)
        if asked and answer is None and current == version:
            self._ruleless.put(org_id, version)
        return admitted(answer)

    def leave(self, record: UsageRecord) -> None:
        row = f'["{record.id}",null,{record.to_json()}]'
        self._queue(self._gate_of(record)).leave(record.id, row)
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

    async def confirm(self, account: Caller) -> None:
        if account.is_new:
            return
        told = await self._calls.call(account.principal.org_id, "batch", account.version or NO_VERSION, "[]")
        self._confirm(account, json.loads(told)[0] if isinstance(told, str) else int(told))

    async def accounts_changed(self, org_id: str) -> None:
        """Who may call in an organisation, or with which models, has changed in the store: old copies are refused."""
        self._accounts.policy_is(org_id, int(await self._calls.call(org_id, "bump")))

    async def rules_changed(self, org_id: str) -> None:
        """Limits, budgets or their adjustments have changed in the store: the gate reads them anew."""
        self._note_rules(org_id, await self._calls.call(org_id, "rules"))

    async def rule_changed(self, org_id: str, change: str) -> None:
        """One rule has come, changed or gone, as `lib.admission.rules.changed` takes it. The gate reads no store."""
        self._note_rules(org_id, await self._calls.call(org_id, "rule", change))

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
        await self._calls.call(org_id, "batch", NO_VERSION, f"[{row}]")
        queue.settled(name, row)
        self._drop_idle(org_id, queue)

    async def _send(self, org_id: str, queue: Queue, version: int, own: Opening | None) -> None:
        """Make one call with what goes in it. Raises Unavailable."""
        load = queue.load(version, own)
        told: Told | None = None
        try:
            answered = await self._calls.call(org_id, "batch", version, load.text())
            told = self._read(org_id, answered)
            queue.arrived(load)
        except Unavailable as error:
            told = (FAILED, {})
            queue.failed(load, broke=isinstance(error, GateBroke))
            raise
        finally:
            if told is None:  # we are thrown away with our request: they go without us
                queue.give_back(load)
            else:
                for opening in load.openings:
                    opening.tell(told)

    async def counters(self, org_id: str) -> Mapping[str, Counter]:
        """Return how far each limit and budget is used up, by its id."""
        parsed = json.loads(await self._calls.call(org_id, "counters"))
        return {rule: Counter(*parts) for rule, parts in parsed.items()}

    async def accounts(self, org_id: str, budget_id: str, after: str, most: int) -> Counted | None:
        """Return what a budget has counted, for the subjects behind `after`; None where the gate knows no such one."""
        now, told = json.loads(await self._calls.call(org_id, "accounts", budget_id, after, most))
        return None if told is None else Counted.of(now, told)

    async def places(self, org_id: str, call_ids: Sequence[str]) -> Mapping[str, Sequence[Place]]:
        """Return the budgets on which calls count, by the call's id."""
        told = json.loads(await self._calls.call(org_id, "places", json.dumps(call_ids)))
        return {name: [Place(*place) for place in places] for name, places in told.items()}

    async def remembered(self, org_id: str, after: str, most: int) -> Sequence[Remembered]:
        """Return calls that have ended, behind the id `after`, as long as the gate remembers them: a day."""
        return [Remembered.of(one) for one in json.loads(await self._calls.call(org_id, "remembered", after, most))]

    async def refused(self, org_id: str) -> int:
        """Return how many records the store has refused for good."""
        return int(await self._calls.call(org_id, "refused"))

    async def explain(self, org_id: str, ask: Ask) -> Refusal | None:
        """Return why a call would be refused now, or None. Nothing is counted."""
        refusal = json.loads(await self._calls.call(org_id, "explain", ask.to_json()))
        return Refusal(*refusal) if refusal else None

    def _note_rules(self, org_id: str, version: int) -> None:
        self._accounts.policy_is(org_id, int(version))
        self._accounts.rules_changed(org_id)

    def _confirm(self, account: Caller, current: int) -> None:
        if current != (account.version or NO_VERSION):
            self._accounts.policy_is(account.principal.org_id, current)
            if not account.is_new:
                raise StaleAccount(current)

    def _read(self, name: str, answered: Any) -> Told:
        """Read what a gate has told, and note whether the organisation's regions may decide: see docs/scaling.md."""
        current, answers, *leased = from_json(answered) if isinstance(answered, str) else (int(answered), {})
        if leased and name not in self._leasing:
            self._leasing.put(name, True)
            place_of.want()
        elif not leased and name in self._leasing:
            self._leasing.pop(name)
        return current, answers

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


def _judged_by(account: Caller) -> int:
    """Return the version to send: that of the policy by which a caller was judged."""
    return IS_NEW if account.is_new else account.version or NO_VERSION


def _is_hopeful(told: tuple[int, Answer | None]) -> bool:
    return hoped_place(told[1]) is not None
