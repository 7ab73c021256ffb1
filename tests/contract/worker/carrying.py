"""Calls that wait for one another on their way to a gate, when the one that carries is gone: test_gate_carrying.py."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import js

from lib.gateway.call.denials import Denials
from lib.gateway.callers.cache import NoCache
from lib.gateway.callers.callers import Callers
from lib.kernel.errors import Unavailable
from lib.runtime.objects import gate_calls, gate_queue, gates, object_calls
from lib.runtime.objects.gates import JsGates

VERSION = 7


class LostGate:
    """A gate's namespace and its stub. The first call is never answered, as to a request that was cut off."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []  # the ids of the rows that each call carried

    def getByName(self, _org_id: str) -> LostGate:  # noqa: N802 - the platform's name
        return self

    def batch(self, version: int, rows: str) -> Any:
        """Answer as a gate without rules."""
        self.calls.append([row[0] for row in json.loads(rows)])
        return js.Promise.withResolvers().promise if len(self.calls) == 1 else js.Promise.resolve(version)


async def take_over(wait_ms: int, *, cut_off: bool) -> dict[str, Any]:
    """Open three calls, of which the first carries and is lost; return what the others were told, and the calls.
    With `cut_off` the first is thrown away while it waits.
    """
    namespace, cache = LostGate(), NoCache()
    usual = gates.WAIT_MS, gate_queue.GONE_SECONDS
    gates.WAIT_MS, gate_queue.GONE_SECONDS = wait_ms, wait_ms / 1000 - 0.1
    try:
        way = JsGates(gate_calls.GateCalls(namespace), Callers(cache, Denials(cache)))
        tasks = [_open(way, name) for name in "abc"]
        if cut_off:
            await asyncio.sleep(0)
            tasks[0].cancel()
        told = await asyncio.wait_for(asyncio.gather(*tasks[1:]), 20)
        tasks[0].cancel()
        with suppress(asyncio.CancelledError):
            await tasks[0]
        return {"told": [version for version, _ in told], "calls": namespace.calls}
    finally:
        gates.WAIT_MS, gate_queue.GONE_SECONDS = usual


def _open(way: JsGates, name: str) -> asyncio.Future[Any]:
    return asyncio.ensure_future(way._open("org", name, f'["{name}",1,{{}}]', VERSION))


async def call_failing(namespace: Any, gate: str, how: str) -> Any:
    """Call a real object that fails; return what it answers in the end, or the error."""
    gate_calls.METHODS = {"fail": object_calls.Method("for a test", most_ms=300 if how == "hangs" else 10_000)}
    try:
        return await gate_calls.GateCalls(namespace).call(gate, "fail", how)
    except Unavailable as error:
        return type(error).__name__
