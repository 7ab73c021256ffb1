"""A Worker for tests only: the Database port over HTTP, on D1 and on PostgreSQL, and the platform's signatures.

It is no part of what is deployed.
"""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import js
from workers import WorkerEntrypoint

from lib.runtime import event_loop, hyperdrive
from lib.runtime.d1 import JsD1Binding
from lib.store.d1 import D1Store
from lib.store.database import Store
from lib.store.postgres import PostgresStore
from lib.store.session import Bound, Result
from tests.contract.worker.calls import perform
from tests.contract.worker.signing import judge

DELAY_MS = 1500

event_loop.install()


class SlowD1(JsD1Binding):
    """A D1 that is far away and busy. The local one runs in our own thread, where no timer fires meanwhile."""

    async def batch(self, statements: Sequence[Bound]) -> list[Result]:
        await js.scheduler.wait(DELAY_MS)
        return await super().batch(statements)

    def replicated(self, constraint: str) -> SlowD1:
        return SlowD1(self._binding.withSession(constraint))


D1_BINDINGS = {"DB": JsD1Binding, "SLOW_DB": SlowD1}


class Default(WorkerEntrypoint):  # type: ignore[misc] # the platform's, which has no types
    """Takes one request's calls; see calls.py."""

    async def fetch(self, request: Any) -> Any:
        """Answer when the database is closed. As in the real Worker, a client that leaves does not end the work."""
        settled = js.Promise.withResolvers()
        self.ctx.waitUntil(settled.promise)
        work = asyncio.ensure_future(self._answer(request.js_object))
        work.add_done_callback(lambda _: settled.resolve())
        return js.Response.new(await work)

    async def _answer(self, request: Any) -> str:
        try:
            asked = json.loads(await request.text())
            if "signatures" in asked:
                return json.dumps(await judge(asked["signatures"]))
            return json.dumps(await perform(self._store(asked).open(asked["bookmark"]), asked))
        except Exception:  # noqa: BLE001 - the test shall see it
            return json.dumps({"broke": traceback.format_exc()})

    def _store(self, asked: Mapping[str, Any]) -> Store:
        env, (statement_seconds, connect_seconds) = self.env._env, asked["limits"]
        name = asked["binding"]
        if name in D1_BINDINGS:
            return D1Store(D1_BINDINGS[name](env.DB), time.time, statement_seconds)
        return PostgresStore(hyperdrive.address(getattr(env, name)), time.time, statement_seconds, connect_seconds)
