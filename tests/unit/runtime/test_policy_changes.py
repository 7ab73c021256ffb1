"""Policies that change while calls run, with D1 and the gate 150 ms away, in virtual time: nobody is refused for that,
and nobody is let in by what was changed before its call.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from lib.admission import policy_store
from lib.admission.gate import Gate
from lib.defence.shield import Shield
from lib.gateway.call.denials import Denials
from lib.gateway.call.remembering_gates import RememberingGates
from lib.gateway.callers.callers import Callers
from lib.store.session import Bound, Result
from lib.web import pipeline
from lib.web.app import App
from tests.seen import ROUTER
from tests.unit.admission.sqlite_sql import SqliteSql
from tests.unit.fakes import raw_request
from tests.unit.runtime.virtual_platform import load_gates, run_virtually
from tests.unit.world import World, new_world

GATES, _, _ = load_gates()
AWAY_SECONDS = 0.150
SECONDS, CALLS_A_SECOND, CHANGES_A_SECOND = 12, 50, 5
CHAT = {"model": "sim/chat", "messages": [{"role": "user", "content": "hi"}]}


class GateFarAway:
    """A namespace with one organisation's gate, as `lib.runtime.objects.gate_object` has it; `told` counts."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._gate = Gate(SqliteSql())
        self._heard: list[str] = []
        self.told: Counter[str] = Counter()

    def getByName(self, _org_id: str) -> GateFarAway:  # noqa: N802 - the platform's name
        return self

    async def batch(self, version: int, rows: str) -> int | str:
        told: int | str = await self._there("batch", lambda now: self._gate.handle(version, rows, now))
        return told

    async def bump(self) -> int:
        return int(await self._there("bump", lambda _: self._gate.bump()))

    async def rule(self, change: str) -> int:
        self._heard.append(change)
        return int(await self._there("rule", lambda now: self._gate.rule(change, now)))

    async def rules(self) -> int:
        heard = len(self._heard)
        policy = await policy_store.load_policy(self._world.parts.store.open(), self._world.org_id)

        def take_up(now: int) -> int:
            self._gate.rules(policy, now)
            for change in self._heard[heard:]:  # meanwhile
                self._gate.rule(change, now)
            return self._gate.version

        return int(await self._there("rules", take_up))

    async def counters(self) -> str:
        return "{}"

    async def _there(self, name: str, does: Any) -> Any:
        self.told[name] += 1
        await asyncio.sleep(AWAY_SECONDS / 2)
        told = does(int(self._world.clock.now().timestamp() * 1000))
        await asyncio.sleep(AWAY_SECONDS / 2)
        return told


class FarAway:
    """Isolates that share a store and a gate, each far from both."""

    def __init__(self, isolates: int) -> None:
        self.world = new_world()
        self._delay_the_store()
        self.gate = GateFarAway(self.world)
        self.isolates = [self._isolate() for _ in range(isolates)]

    def _delay_the_store(self) -> None:
        there = self.world.binding.batch

        async def batch(statements: Sequence[Bound]) -> list[Result]:
            await asyncio.sleep(AWAY_SECONDS)
            return await there(statements)

        self.world.binding.batch = batch  # type: ignore[method-assign]

    def _isolate(self) -> App:
        denials = Denials()
        accounts = Callers(denials=denials)
        gates = GATES.JsGates(GATES.GateCalls(self.gate), accounts)
        gateway = replace(self.world.parts.gateway, gates=RememberingGates(gates, denials))
        return replace(self.world.parts, callers=accounts, gates=gates, gateway=gateway, shield=Shield())

    async def ask(
        self, method: str, path: str, body: object, key: str, *, isolate: int = 0, origin: str | None = None
    ) -> tuple[int, Any]:
        sent = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        sent |= {"origin": origin} if origin else {}
        raw = raw_request(method, path, b"" if body is None else json.dumps(body).encode(), sent)
        parts = self.isolates[isolate % len(self.isolates)]
        response = await pipeline.handle(parts.for_request(), ROUTER, raw)
        if response.finish:
            await response.finish()
        text = response.body if isinstance(response.body, bytes) else b"{}"
        return response.status, json.loads(text or b"{}")

    async def chat(self, key: str, model: str = "sim/chat", isolate: int = 0) -> int:
        return (await self.ask("POST", "/v1/chat/completions", CHAT | {"model": model}, key, isolate=isolate))[0]


@pytest.mark.parametrize("kinds", ["all", "those that make accounts old"])
def test_five_changes_a_second_beside_fifty_calls(kinds: str) -> None:
    """Models, limits, budgets, new keys, browsers' keys, and keys that end. All calls that may pass do; who was revoked
    is refused, and what was made is found, by each isolate from the answer on.
    """
    changing = CHANGES if kinds == "all" else CHANGES[:2]
    there = FarAway(isolates=3)

    async def runs() -> tuple[Counter[int], list[str]]:
        admin, wrong, statuses = there.world.key.secret, [], Counter[int]()
        keys = [await _key(there, admin) for _ in range(8)]

        async def calls(number: int) -> None:
            await asyncio.sleep(number / CALLS_A_SECOND)
            statuses[await there.chat(keys[number % len(keys)][1], isolate=number)] += 1

        async def changes(number: int) -> None:
            await asyncio.sleep(number / CHANGES_A_SECOND)
            wrong.extend(await changing[number % len(changing)](there, admin, number))

        await asyncio.gather(
            *(calls(number) for number in range(SECONDS * CALLS_A_SECOND)),
            *(changes(number) for number in range(SECONDS * CHANGES_A_SECOND)),
        )
        return statuses, wrong

    statuses, wrong = run_virtually(runs())
    assert statuses == {200: SECONDS * CALLS_A_SECOND}
    assert wrong == []


async def _key(there: FarAway, admin: str) -> tuple[str, str]:
    scopes = ["chat:write", "keys:mint"]
    status, made = await there.ask("POST", "/api/v1/keys", {"name": "k", "scopes": scopes}, admin)
    assert status == 201, made
    return made["data"]["id"], made["data"]["secret"]


async def _revoked(there: FarAway, admin: str, number: int) -> list[str]:
    key_id, secret = await _key(there, admin)
    before = [await there.chat(secret, isolate=isolate) for isolate in range(3)]
    status, _ = await there.ask("DELETE", f"/api/v1/keys/{key_id}", None, admin, isolate=number)
    after = [await there.chat(secret, isolate=isolate) for isolate in range(3)]
    right = before == [200] * 3 and status == 204 and after == [401] * 3
    return [] if right else [f"revoked: {before} {status} {after}"]


async def _model(there: FarAway, admin: str, number: int) -> list[str]:
    body = {"provider": "sim", "upstream_model": "chat"}
    status, told = await there.ask("PUT", f"/api/v1/models/own-{number}", body, admin, isolate=number)
    found = [await there.chat(admin, f"own-{number}", isolate) for isolate in range(3)]
    return [] if (status, found) == (201, [200] * 3) else [f"model: {status} {told} {found}"]


async def _budget(there: FarAway, admin: str, number: int) -> list[str]:
    key_id, secret = await _key(there, admin)
    body = {"scope": {"type": "key", "id": key_id}, "window": "total", "limit_nano_usd": 0, "mode": "hard"}
    status, told = await there.ask("POST", "/api/v1/budgets", body, admin, isolate=number)
    spent = [await there.chat(secret, isolate=isolate) for isolate in range(3)]
    return [] if (status, spent) == (201, [402] * 3) else [f"budget: {status} {told} {spent}"]


async def _minted(there: FarAway, admin: str, number: int) -> list[str]:
    body = {"end_user": f"u{number}", "minutes": 5, "budget_nano_usd": 1, "models": ["sim/chat"]}
    body |= {"origins": ["https://example.com"]}
    status, told = await there.ask("POST", "/api/v1/keys/actions/mint", body, admin, isolate=number)
    if status != 201:
        return [f"minted: {status} {told}"]
    path, secret, origin = "/v1/chat/completions", told["data"]["secret"], "https://example.com"
    spent = [(await there.ask("POST", path, CHAT, secret, isolate=at, origin=origin))[0] for at in range(3)]
    return [] if spent == [402] * 3 else [f"minted: {spent}"]


CHANGES = (_revoked, _model, _budget, _minted)


def test_a_change_of_a_rule_has_no_account_read_anew() -> None:
    """Nor has a new key. That which makes the first rule has: until then no gate is told what a call takes."""

    there = FarAway(isolates=1)

    async def runs() -> list[int]:
        admin = there.world.key.secret
        asked: list[int] = []
        await _key(there, admin)
        for change in (_budget, _budget, _minted, _minted):
            assert await there.chat(admin) == 200
            await change(there, admin, len(asked))
            before = len(there.world.binding.statements)
            assert await there.chat(admin) == 200
            asked.append(len(there.world.binding.statements) - before)
        assert there.gate.told["bump"] == 0
        assert there.gate.told["rule"] == 2
        return asked

    first, *others = run_virtually(runs())
    assert first > 0
    assert others == [0, 0, 0]
