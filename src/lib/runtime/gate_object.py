"""The gate as a Durable Object: `lib.admission.gate` on the object's own SQLite, and the alarm that empties its outbox.

Every method can be called over RPC by whoever holds the binding, which is only this Worker. Arguments and results are
numbers and JSON texts: one string crosses cheaper than an object.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import js
from pyodide.ffi import create_once_callable, jsnull
from workers import DurableObject

from lib import failures
from lib.admission import policy_store
from lib.admission.decision import Ask
from lib.admission.gate import FLUSH_AFTER_MS
from lib.admission.gate import Gate as GateCore
from lib.admission.gate_sql import organisation_of
from lib.admission.outbox import Outbox
from lib.admission.watch import Watch
from lib.clock import SystemClock
from lib.failures import MOST_REASON, Failure
from lib.runtime import log
from lib.runtime.ledger_queue import ledger_queue_of
from lib.runtime.stores import store_of
from lib.store.database import StoreUnavailable

RETRY_MS = 2_000


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
        # The SDK wraps storage so that every call converts its arguments and results; here they are plain already.
        self._storage = ctx._ctx.storage
        self._platform = ctx._ctx
        sql = JsSql(self._storage)
        self._gate = GateCore(sql, self._broke)
        self._org_id = organisation_of(sql, ctx._ctx.id.name or None)  # as JsGates names it
        self._store = store_of(env._env)
        self._watch = Watch()
        self._outbox = Outbox(self._gate, self._org_id, self._store, ledger_queue_of(env._env), SystemClock(), log)
        self._alarm_ms: int | None = None
        self._readings = self._newest_reading = self._reading = 0  # of the rules; the last are under way
        self._heard: list[str] = []  # single rules that were told while the rules are read

    # Not `async`: nothing is awaited here, and a coroutine costs the platform a task. The same holds for the next two.
    def batch(self, version: int, rows: str) -> int | str:
        """Let requests in, and settle requests; see `lib.admission.gate.Gate.handle`."""
        now_ms = self._watch.now(_now_ms())
        current = self._gate.handle(version, rows, now_ms)
        for rule, subject, part in self._gate.warnings:
            log.warning("budget_spent", org_id=self._org_id, budget_id=rule, subject=subject, percent=part)
        self._gate.warnings.clear()
        self._wake(now_ms + FLUSH_AFTER_MS)
        return current

    def bump(self) -> int:
        """Make all accounts of the organisation old: see `lib.admission.gate.Gate.bump`. Return the new version."""
        return self._gate.bump()

    async def rules(self) -> int:
        """The organisation's limits and budgets have changed in the store: read them anew; return the version.

        Of two that read side by side, the one that began later has seen more: the other's reading is dropped. A single
        rule that was told meanwhile may be missing in what is read.
        """
        self._readings += 1
        reading, heard = self._readings, len(self._heard)
        self._reading += 1
        database = self._store.open()
        try:
            policy = await policy_store.load_policy(database, self._org_id)
            if reading < self._newest_reading:
                return self._gate.version
            self._newest_reading = reading
            self._gate.rules(policy, _now_ms())
            for change in self._heard[heard:]:
                self._gate.rule(change, _now_ms())
        finally:
            self._reading -= 1
            if not self._reading:
                self._heard.clear()
            await database.close()
        return self._gate.version

    def rule(self, change: str) -> int:
        """Take up one rule that has come, changed or gone: a JSON object, see `lib.admission.rules.changed`."""
        if self._reading:
            self._heard.append(change)
        return self._gate.rule(change, _now_ms())

    def counters(self) -> str:
        """Return how much of each rule is used: a JSON object of `[used, reserved, resets_at_ms]` by the rule's id."""
        return json.dumps({rule: astuple(counter) for rule, counter in self._gate.counters(_now_ms()).items()})

    def accounts(self, rule: str, after: str, most: int) -> str:
        """Return `[now_ms, [begin, [[subject, used, reserved], …], mixed]]` as JSON: see `Gate.accounts`."""
        now = _now_ms()
        return json.dumps([now, self._gate.accounts(rule, after, most, now)])

    def places(self, names: str) -> str:
        """Return `{id: [[rule, subject, begin], …]}` as JSON, for a JSON array of calls' ids."""
        return json.dumps(self._gate.places(names))

    def remembered(self, after: str, most: int) -> str:
        """Return `[[id, since_ms, cost, [[rule, subject, begin], …]], …]` as JSON: see `Gate.remembered`."""
        return json.dumps(self._gate.remembered(after, most))

    def refused(self) -> int:
        """Return how many records the store has refused for good."""
        return self._gate.refused()

    def explain(self, ask: str) -> str:
        """Return `[code, rule, wait_ms]` as JSON: why a call would be refused now, or `null`. Nothing is counted."""
        refusal = self._gate.explain(Ask.from_json(json.loads(ask)), _now_ms())
        return json.dumps(astuple(refusal) if refusal else None)

    async def flush(self) -> None:
        """Bring the store up to date, so that who reads it now sees all that has been settled."""
        await self._outbox.flush()

    async def delivered(self, written: str, refused: str) -> None:
        """Hear what the store has of the records that went by the queue, and what it refuses: two JSON arrays."""
        self._outbox.delivered(written, refused)
        due = self._outbox.next_ms(_now_ms())
        if due is not None:  # what was corrected while it was under way is to be sent once more
            self._wake(due)

    async def alarm(self, _info: Any = None) -> None:
        """Give up what is overdue, send what is settled. Never raises: the platform would stop trying at some point.

        It may ring late, and twice.
        """
        try:
            now_ms = self._watch.now(_now_ms())
            self._watch.rang(self._alarm_ms, now_ms)
            self._alarm_ms = None
            self._gate.expire(now_ms)
            await self._outbox.send(_now_ms())
            due = self._outbox.next_ms(_now_ms())
            if due is not None:
                self._wake(due)
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
