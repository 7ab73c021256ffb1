"""Headgate's entry with parts of the admission cut out, as `BENCH_VARIANT` says. No deploy has it.

none       every call is let in, and nobody is asked: what a request costs without admission
asked      the same, but the record and what the call may take are worked out and written as JSON
carried    these go to a gate that reads nothing and keeps nothing
decided    the real gate decides, but keeps nothing
unsettled  the real gate, but no call is settled
whole      nothing is cut out
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import js
from decisions_entry import batches  # type: ignore[import-not-found]  # lies beside this file when it runs

import entry
from lib.admission import protocol
from lib.admission.decision import Ask
from lib.gateway.call.admitting import Admitted
from lib.gateway.callers.caller import Caller
from lib.ledger.usage_record import UsageRecord
from lib.runtime import inside
from lib.runtime.objects.gate_calls import GateCalls
from lib.runtime.objects.gates import JsGates
from lib.web.app import App
from lib.worker import serving as worker
from lib.worker.bootstrap import bootstrap

__all__ = ["Default", "Gate", "Guard"]

Guard = entry.Guard

NONE, ASKED, CARRIED, DECIDED, UNSETTLED = "none", "asked", "carried", "decided", "unsettled"
DECIDE = "/__bench/decide/"


class OpenGates(JsGates):
    """Lets everything in. With `asked`, after the work that an isolate has before it calls a gate."""

    asked = False

    async def open(self, _account: Caller, record: UsageRecord, deadline: datetime, ask: Callable[[], Ask]) -> Admitted:
        """Ask nobody."""
        if self.asked:
            protocol.opening(record, int(deadline.timestamp() * 1000), ask())
        return Admitted()

    def leave(self, record: UsageRecord) -> None:
        if self.asked:
            protocol.settlement(record)


class AskingGates(JsGates):
    """Works out what a call may take, also where the gate has said that it has no rules."""

    async def open(self, account: Caller, record: UsageRecord, deadline: datetime, ask: Callable[[], Ask]) -> Admitted:
        self._ruleless.pop(record.org_id)
        return await super().open(account, record, deadline, ask)


class UnsettledGates(JsGates):
    """Opens, and never settles."""

    def leave(self, record: UsageRecord) -> None:
        """Do nothing."""


_GATES: dict[str, type[JsGates]] = {NONE: OpenGates, ASKED: OpenGates, CARRIED: AskingGates, UNSETTLED: UnsettledGates}


def _with_gates(env: Any) -> App:
    parts = bootstrap(env)
    chosen = _GATES.get(env.BENCH_VARIANT)
    if chosen is None:
        return parts
    gates = chosen(GateCalls(env.GATE, None), parts.callers)
    if isinstance(gates, OpenGates):
        gates.asked = env.BENCH_VARIANT == ASKED
    return replace(parts, gates=gates, gateway=replace(parts.gateway, gates=gates))


vars(worker)["bootstrap"] = _with_gates  # where `serve` looks it up


class _ReadOnly:
    """The gate's SQL, without what a batch writes."""

    def __init__(self, sql: Any) -> None:
        self._sql = sql

    def run(self, sql: str, *values: str | int) -> list[list[Any]]:
        return [] if sql.startswith("INSERT INTO") else list(self._sql.run(sql, *values))

    def atomically(self, work: Callable[[], None]) -> None:
        self._sql.atomically(work)


class Gate(entry.Gate):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self._variant = env._env.BENCH_VARIANT  # noqa: SLF001 - as in entry.py
        if self._variant == DECIDED:
            self._gate._sql = _ReadOnly(self._gate._sql)  # noqa: SLF001 - to cut it

    def batch(self, version: int, rows: str) -> int | str | Awaitable[int | str]:
        """Answer as the real one, or at once."""
        return version or 1 if self._variant == CARRIED else super().batch(version, rows)


class Default(entry.Default):
    async def fetch(self, request: Any) -> Any:
        """Decide as the path says (organisation, openings a batch, batches, callers at once), or answer as Headgate."""
        _, found, asked = request.url.partition(DECIDE)
        if not found:
            return await super().fetch(request)
        org_id, size, count, callers = asked.split("/")
        stub = inside.plain_env(self.env).GATE.getByName(org_id)
        # A record must name a key that there is: the store refuses others, one by one.
        key = await inside.plain_env(self.env).DB.prepare("SELECT id FROM api_keys WHERE kind = 'server'").first("id")
        return js.Response.new(await batches(stub, org_id, key, int(size), int(count), int(callers), time.time))
