"""The gate as a Durable Object: `lib.admission.gate` on the object's own SQLite, and the alarm that empties its outbox.

Every method can be called over RPC by whoever holds the binding, which is only this Worker. Arguments and results are
numbers and JSON texts: one string crosses cheaper than an object.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import js
from pyodide.ffi import create_once_callable, jsnull
from workers import DurableObject

from lib.admission import policy_store, protocol
from lib.admission.decision import Ask
from lib.admission.gate import FLUSH_AFTER_MS
from lib.admission.gate import Gate as GateCore
from lib.admission.gate_sql import organisation_of, prepare
from lib.admission.home_gate import HomeGate
from lib.admission.outbox import Outbox
from lib.admission.protocol import IS_NEW
from lib.admission.regional_gate import RegionalGate
from lib.admission.watch import Watch
from lib.audit import audit_store
from lib.config import read_place
from lib.events.event import OK, Policy, policy_of
from lib.kernel import failures
from lib.kernel.clock import SystemClock
from lib.kernel.errors import Unavailable
from lib.kernel.failures import MOST_REASON, Failure
from lib.runtime import inside, log
from lib.runtime.archive import archive_of
from lib.runtime.environment import variable_reader
from lib.runtime.ledger_queue import ledger_queue_of
from lib.runtime.objects.gate_calls import GateCalls
from lib.runtime.objects.leasing import Abroad, Home
from lib.runtime.objects.placement import Placement
from lib.runtime.stores import store_of
from lib.store.database import StoreUnavailable
from lib.store.tenant import Org

RETRY_MS = 2_000
# How often a gate with calls looks for changes in the store that nobody has told it.
LOOK_MS = 60_000


# So long a broken object refuses, until it is thrown away: its alarm must be on disk first.
ABORT_AFTER_MS = 100


class JsSql:
    """Implements `lib.admission.gate_sql.Sql` on an object's storage: writes between two awaits are one write."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self._sql = storage.sql

    def run(self, sql: str, *values: str | int) -> list[list[Any]]:
        cursor = self._sql.exec(sql, *values)
        if not sql.startswith("SELECT"):
            return []
        rows: list[list[Any]] = cursor.raw().toArray().to_py()
        return [[None if value is jsnull else value for value in row] for row in rows]

    def atomically(self, work: Callable[[], None]) -> None:
        raised: list[Exception] = []

        def run() -> None:
            try:
                work()
            except Exception as error:
                raised.append(error)
                raise

        try:
            self._storage.transactionSync(create_once_callable(run))
        except Exception:
            if raised:
                raise raised[0] from None  # as it was raised, and not as it came back through JavaScript
            raise


class Gate(DurableObject):
    """One organisation's gate."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        inside.take_over()
        # The SDK wraps storage so that every call converts its arguments and results; here they are plain already.
        self._storage = ctx._ctx.storage
        self._platform = ctx._ctx
        sql, calls = JsSql(self._storage), GateCalls(Placement(env._env, read_place(variable_reader(env._env))).gates)
        told: str | None = ctx._ctx.id.name or None  # as JsGates names it
        if told is None:  # then it is there already
            prepare(sql)
        self._org_id, _, region = (told or organisation_of(sql, None)).partition("@")
        self._gate: GateCore
        self._home: Home | None = None
        self._abroad: Abroad | None = None
        if region:
            self._gate = regional = RegionalGate(sql, self._broke)
            self._abroad = Abroad(regional, self._org_id, region, calls)
        else:
            self._gate = home = HomeGate(sql, self._broke)
            self._home = Home(home, self._org_id, calls)
        organisation_of(sql, told)
        self._store = store_of(env._env)
        self._watch = Watch()
        # Who takes records from the queue tells the home that they have arrived: a region writes its own.
        queue = None if region else ledger_queue_of(env._env)
        self._outbox = Outbox(self._gate, self._org_id, self._store, archive_of(env._env), queue, SystemClock(), log)
        self._alarm_ms: int | None = None
        self._readings = self._newest_reading = self._reading = 0  # of the rules; the last are under way
        self._look_ms = 0
        self._was_told = False  # of a change of accounts, since it looked
        self._heard: list[str] = []  # single rules that were told while the rules are read

    # Not `async`: nothing is awaited here, and a coroutine costs the platform a task. The same holds for the next two.
    def batch(self, version: int, rows: str) -> int | str | Awaitable[int | str]:
        """Let requests in, and settle requests; see `lib.admission.gate.Gate.handle`.

        Of an organisation whose regions may decide the answer is always a text that says so.
        """
        current = self._handle(version, rows)
        home = self._home
        if home is not None and home.gate.recallable:
            return self._after_recall(home, version, rows, current)
        if home is not None and home.gate.leased:
            return protocol.as_leased(current)
        if self._abroad is not None and version > 0:
            self._abroad.look(_now_ms())
        return current

    def _handle(self, version: int, rows: str) -> int | str:
        now_ms = self._watch.now(_now_ms())
        current = self._gate.handle(version, rows, now_ms)
        if self._gate.warnings:
            self._warn()
        self._wake(now_ms + FLUSH_AFTER_MS)
        return current

    def _warn(self) -> None:
        for rule, subject, part in self._gate.warnings:
            log.warning("budget_spent", org_id=self._org_id, budget_id=rule, subject=subject, percent=part)
        self._gate.warnings.clear()

    async def _after_recall(self, home: Home, version: int, rows: str, current: int | str) -> int | str:
        """Ask once more, where somebody was refused what regions hold, when they have given back what they can.

        Not by a policy that is old by then: it would not say who was let in before.
        """
        if await home.recall() and version in (IS_NEW, self._gate.version):
            current = self._handle(version, rows)  # who was let in is known
            home.gate.recallable.clear()
        return protocol.as_leased(current) if home.gate.leased else current

    def bump(self) -> int | Awaitable[int]:
        """Make all accounts of the organisation old: see `lib.admission.gate.Gate.bump`. Return the new version.

        An isolate of an earlier release may tell no more where rules have changed: the alarm looks for it.
        """
        version = self._gate.bump()
        self._was_told, self._look_ms = True, 0
        self._wake(_now_ms() + FLUSH_AFTER_MS)
        return self._told(self._home) if self._home and not self._home.alone else version

    async def _told(self, home: Home) -> int:
        """Return the version when no region decides by an older policy."""
        await home.changed()
        return self._gate.version

    async def _ask_regions(self, method: str, *arguments: object) -> list[Any]:
        return await self._home.ask(method, *arguments) if self._home else []

    def exchange(self, region: str, message: str, edition: int) -> str | None:
        """Take an exchange of a region: see `lib.admission.home_gate.HomeGate.exchange`."""
        if self._home is None:
            return None
        told = self._home.gate.exchange(region, message, edition, self._watch.now(_now_ms()))
        self._warn()
        return told

    async def recall(self, edition: int, places: str) -> None:
        """Hear, in a region, that the policy is of this edition, and have a JSON array of places go back."""
        if self._abroad is not None:
            await self._abroad.recall(edition, places)
            self._wake(_now_ms() + FLUSH_AFTER_MS)

    async def report(self) -> None:
        """Tell, in a region, the home what has been spent."""
        if self._abroad is not None:
            await self._abroad.trade()

    async def rules(self) -> int:
        """The organisation's limits and budgets have changed in the store: read them anew; return the version.

        Of two that read side by side, the one that began later has seen more: the other's reading is dropped. A single
        rule that was told meanwhile may be missing in what is read. Where the newest fails, the alarm reads again.
        """
        self._readings += 1
        reading, heard = self._readings, len(self._heard)
        self._reading += 1
        database = self._store.open()
        try:
            policy = await policy_store.load_policy(database, self._org_id)
            if reading > self._newest_reading:
                self._newest_reading = reading
                if policy != self._gate.disk.policy_text():
                    self._gate.rules(policy, _now_ms())
                for change in self._heard[heard:]:
                    self._gate.rule(change, _now_ms())
        finally:
            self._reading -= 1
            if not self._reading:
                self._heard.clear()
            if self._unread:
                self._wake(_now_ms() + RETRY_MS)
            await database.close()
        return await self._told(self._home) if self._home and not self._home.alone else self._gate.version

    @property
    def _unread(self) -> bool:
        """Tell whether the newest reading of the rules has failed: the store has some that are not known here."""
        return not self._reading and self._newest_reading < self._readings

    def rule(self, change: str) -> int | Awaitable[int]:
        """Take up one rule that has come, changed or gone: a JSON object, see `lib.admission.rules.changed`."""
        if self._reading:
            self._heard.append(change)
        version = self._gate.rule(change, _now_ms())
        return self._told(self._home) if self._home and not self._home.alone else version

    async def _look(self) -> None:
        """Take up what has changed in the store and was not told: who made it may have died, or found this gate away.

        The organisation's audit log says whether anything has: each change notes its event in its own group.
        """
        was_told, self._was_told = self._was_told, False
        database, known = self._store.open(), self._gate.disk.event()
        try:
            if known is None:
                newest, news = await audit_store.last_number(database, self._org_id), [Policy.RULES]
            else:
                rows = await audit_store.behind(database, Org(self._org_id), known)
                newest = rows[-1].seq if rows else known
                news = [policy_of(row.action) for row in rows if row.result == OK]
                self._look_ms = self._look_ms if len(rows) < audit_store.MOST_FOLLOWED else 0  # there may be more
        except StoreUnavailable:
            return  # the next time
        finally:
            await database.close()
        if news:
            await self.rules()
        if not was_told and any(Policy.ACCOUNTS in each for each in news):
            self._gate.bump()
        self._was_told = False
        if newest != known:
            self._gate.disk.keep_event(newest)

    async def counters(self) -> str:
        """Return how much of each rule is used, by its id: see `protocol.counters_of`.

        With what regions have told; one that does not answer has told less, and holds more.
        """
        with suppress(Unavailable):
            await self._ask_regions("report")
        return protocol.counters_text(self._gate.counters(_now_ms()))

    async def accounts(self, rule: str, after: str, most: int) -> str:
        """Return what a budget has counted: see `protocol.counted_of`, and `Gate.accounts`."""
        await self._ask_regions("report")
        now = _now_ms()
        return protocol.counted_text(now, self._gate.accounts(rule, after, most, now))

    async def places(self, names: str) -> str:
        """Return `{id: [[rule, subject, begin], …]}` as JSON, for a JSON array of calls' ids."""
        found = self._gate.places(names)
        for told in await self._ask_regions("places", names):
            found |= json.loads(told)
        return json.dumps(found)

    async def remembered(self, after: str, most: int) -> str:
        """Return `[[id, since_ms, cost, [[rule, subject, begin], …]], …]` as JSON: see `Gate.remembered`."""
        found = [list(one) for one in self._gate.remembered(after, most)]
        for told in await self._ask_regions("remembered", after, most):
            found += json.loads(told)
        return json.dumps(sorted(found)[:most])

    async def refused(self) -> int:
        """Return how many records the store has refused for good."""
        return self._gate.refused() + sum(map(int, await self._ask_regions("refused")))

    def explain(self, ask: str) -> str:
        """Return why a call would be refused now: see `protocol.refusal_of`. Nothing is counted."""
        return protocol.refusal_text(self._gate.explain(Ask.from_json(json.loads(ask)), _now_ms()))

    async def flush(self) -> None:
        """Bring the store up to date, so that who reads it now sees all that has been settled."""
        await self._ask_regions("flush")
        if self._abroad is not None:
            await self._abroad.trade()
        await self._outbox.flush()

    async def delivered(self, written: str, refused: str) -> None:
        """Hear what the store has of the records that went by the queue, and what it refuses: two JSON arrays."""
        self._outbox.delivered(written, refused)
        due = self._outbox.next_ms(_now_ms())
        if due is not None:  # what was corrected while it was under way is to be sent once more
            self._wake(due)

    async def alarm(self, _info: Any = None) -> None:
        """Give up what is overdue, send what is settled, and read the rules where that has failed.

        Never raises: the platform would stop trying at some point. It may ring late, and twice.
        """
        try:
            now_ms = self._watch.now(_now_ms())
            self._watch.rang(self._alarm_ms, now_ms)
            self._alarm_ms = None
            self._gate.expire(now_ms)
            if self._abroad is not None and (due := await self._abroad.tick(_now_ms())) is not None:
                self._wake(due)  # whether the store is there or not
            await self._outbox.send(_now_ms())
            if self._unread:
                await self.rules()
            due = self._outbox.next_ms(_now_ms())
            if due is not None:
                self._wake(due)
            if self._home is not None and now_ms >= self._look_ms:
                self._look_ms = now_ms + LOOK_MS
                await self._look()
        except StoreUnavailable as error:
            failures.note(Failure.STORE_LEDGER, str(error))
            self._wake(_now_ms() + RETRY_MS)
        except Exception as error:  # noqa: BLE001 - whatever it is, this object must wake again
            log.error("alarm_failed", org_id=self._org_id, reason=repr(error)[:MOST_REASON])
            self._wake(_now_ms() + RETRY_MS)

    def _broke(self, error: Exception) -> None:
        """Its memory is not what the disk says: have this object thrown away. The next call makes it anew."""
        log.error("gate_broken", org_id=str(self._platform.id.name), reason=repr(error)[:MOST_REASON])
        # By a timer that Python has no part in: an abort with Python on the stack takes the whole of workerd with it.
        js.setTimeout(self._platform.abort.bind(self._platform, "the gate is broken"), ABORT_AFTER_MS)

    def _wake(self, due_ms: int) -> None:
        """Have the alarm ring at that time, or before it."""
        if self._alarm_ms is None or self._alarm_ms > due_ms:
            self._alarm_ms = due_ms
            self._storage.setAlarm(due_ms)


def _now_ms() -> int:
    return int(time.time() * 1000)
