"""A Worker for tests only: ports over HTTP (the Database on both stores, the hasher, signatures, httpx); and the gate
in a Durable Object whose time is the test's. It is no part of what is deployed.
"""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import js
from pyodide.ffi import JsException
from workers import DurableObject, WorkerEntrypoint

from lib.runtime import event_loop, hyperdrive
from lib.runtime.argon2 import CtypesArgon2
from lib.runtime.d1 import JsD1Binding
from lib.runtime.objects.gate_object import JsSql
from lib.store.d1 import D1Store
from lib.store.database import Store
from lib.store.postgres import PostgresStore
from lib.store.session import Bound, Result
from tests.contract.worker.calls import perform
from tests.contract.worker.carrying import call_failing, take_over
from tests.contract.worker.fetching import fetch_all
from tests.contract.worker.gate_calls import Player
from tests.contract.worker.hashing import perform_hashing
from tests.contract.worker.signing import judge
from tests.contract.worker.timers import wait_often

DELAY_MS = 1500

event_loop.install()


class SlowD1(JsD1Binding):
    """A D1 that is far away and busy. The local one runs in our own thread, where no timer fires meanwhile."""

    async def batch(self, statements: Sequence[Bound]) -> list[Result]:
        await js.scheduler.wait(2 * DELAY_MS)
        return await super().batch(statements)

    def replicated(self, constraint: str) -> SlowD1:
        return SlowD1(self._binding.withSession(constraint))


class PlayedGate(DurableObject):  # type: ignore[misc] # the platform's, which has no types
    """A gate on its own SQLite, as `lib.runtime.objects.gate_object.Gate` has it; see gate_calls.py."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self._platform = ctx._ctx
        self._player = Player(JsSql(self._platform.storage))
        self._played = 0  # by this object: an eviction makes another

    async def play(self, steps: str) -> str:
        """Return `[how many steps it has played before, what it answers to each of these]`."""
        before, parsed = self._played, json.loads(steps)
        self._played += len(parsed)
        return json.dumps([before, [self._player.play(step) for step in parsed]])

    async def evict(self) -> None:
        """The platform throws this object away. The next call finds a new one on the same storage."""
        # By a timer that Python has no part in: an abort with Python on the stack takes the whole of workerd with it.
        js.setTimeout(self._platform.abort.bind(self._platform, "evicted by a test"), 0)
        await js.scheduler.wait(DELAY_MS)

    async def fail(self, how: str) -> int:
        """Fail: by an error of ours, by never answering, or by being thrown away, the first time only."""
        if how == "breaks":
            raise ValueError("no such row")
        sql = self._platform.storage.sql
        sql.exec("CREATE TABLE IF NOT EXISTS failed (times INTEGER)")
        if how == "is reset" and not JsSql(self._platform.storage).run("SELECT times FROM failed"):
            sql.exec("INSERT INTO failed VALUES (1)")
            await js.scheduler.wait(100)  # else what was written goes with the object
            await self.evict()
        if how == "hangs":
            await js.scheduler.wait(60_000)
        return 7


def _bound(env: Any) -> Any:
    """Return the bindings; with PRODUCTION=1 as they are in production."""
    if getattr(env, "PRODUCTION", None) is None:
        return env
    from tools.production.environment import begin, environment_of  # only then is it in the bundle

    bound = environment_of(env)
    begin(bound)
    return bound


D1_BINDINGS = {"DB": JsD1Binding, "SLOW_DB": SlowD1}


class Default(WorkerEntrypoint):  # type: ignore[misc] # the platform's, which has no types
    """Takes one request's calls, see calls.py; or steps for a gate, see gate_calls.py."""

    async def fetch(self, request: Any) -> Any:
        """Answer when the database is closed. As in the real Worker, a client that leaves does not end the work."""
        settled = js.Promise.withResolvers()
        self.ctx.waitUntil(settled.promise)
        work = asyncio.ensure_future(self._answer(request.js_object))
        work.add_done_callback(lambda _: settled.resolve())
        return js.Response.new(await work)

    async def _answer(self, request: Any) -> str:
        try:
            self._bound = _bound(self.env._env)
            asked = json.loads(await request.text())
            if "gate" in asked:
                return await self._play(asked)
            if "carrying" in asked:
                return json.dumps(await take_over(asked["carrying"], cut_off=asked["cut_off"]))
            if "signatures" in asked:
                return json.dumps(await judge(asked["signatures"]))
            if "fetching" in asked:
                return json.dumps(await fetch_all(asked["fetching"]))
            if "hashing" in asked:
                return json.dumps([perform_hashing(CtypesArgon2(), call) for call in asked["hashing"]])
            if "timers" in asked:
                return json.dumps(await wait_often(asked["timers"]))
            return json.dumps(await perform(self._store(asked).open(asked["bookmark"]), asked))
        except Exception:  # noqa: BLE001 - the test shall see it
            return json.dumps({"broke": traceback.format_exc()})

    async def _play(self, asked: Mapping[str, Any]) -> str:
        if "fails" in asked:
            return json.dumps(await call_failing(self.env._env.PLAYED_GATE, asked["gate"], asked["fails"]))
        gate = self.env._env.PLAYED_GATE.getByName(asked["gate"])
        if "steps" in asked:
            return str(await gate.play(json.dumps(asked["steps"])))
        try:
            await gate.evict()
        except JsException as error:
            return json.dumps({"evicted": error.message})
        return json.dumps({"broke": "it has not been evicted"})

    def _store(self, asked: Mapping[str, Any]) -> Store:
        env, (statement_seconds, connect_seconds) = self._bound, asked["limits"]
        name = asked["binding"]
        if name in D1_BINDINGS:
            return D1Store(D1_BINDINGS[name](env.DB), time.time, statement_seconds)
        return PostgresStore(hyperdrive.address(getattr(env, name)), time.time, statement_seconds, connect_seconds)
