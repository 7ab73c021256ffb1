"""The way to the gates: whoever was answered is not in its own way, nor is anybody else."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.access.principal import Principal
from lib.admission.decision import Ask
from lib.admission.gate import Gate
from lib.gateway.callers.caller import Caller
from lib.gateway.callers.callers import Callers
from lib.kernel.errors import HeadgateError
from lib.kernel.ids import new_id
from lib.ledger.usage import NO_TOKENS
from lib.ledger.usage_record import UsageRecord
from lib.store.dialect import time_text
from tests.unit.admission.sqlite_sql import SqliteSql
from tests.unit.runtime.virtual_platform import JsException, load_gates, run_virtually

GATES, QUEUE, LINES = load_gates()
NOW = datetime(2026, 11, 30, tzinfo=UTC)
ORG = {"type": "org", "id": "org-1", "model": None}
EACH_KEY = {"type": "key", "id": "*", "model": None}
ESTIMATE, USED, BOUND, COST = 50, 12, 100, 7
CALLS = 6


def limit(unit: str, most: int, **others: object) -> dict[str, Any]:
    window = None if unit == "concurrent" else 3_600_000
    return {"id": "lim", "scope": ORG, "unit": unit, "limit": most, "window_ms": window, "burst": None} | others


def budget(most: int, window: str) -> dict[str, Any]:
    return {"id": "bud", "scope": ORG, "window": window, "limit": most, "mode": "hard"}


# Rules that are just wide enough for so many clients, each of which calls one after another: with all that their calls
# have used, there is room for one call of each.
JUST_ENOUGH: dict[str, Callable[[int], dict[str, Any]]] = {
    "at once": lambda clients: limit("concurrent", clients),
    "at once, each": lambda _: limit("concurrent", 1, scope=EACH_KEY),
    "tokens": lambda clients: limit("tokens", clients * (CALLS * USED + ESTIMATE)),
    "tokens, a burst": lambda clients: limit("tokens", 100, burst=clients * (CALLS * (USED + 1) + ESTIMATE)),
    "budget": lambda clients: budget(clients * (CALLS * COST + BOUND), "total"),
    "budget of a day": lambda clients: budget(clients * (CALLS * COST + BOUND), "day"),
    "rolling budget": lambda clients: budget(clients * (CALLS * COST + BOUND), "rolling:86400"),
}


class GateNearby:
    """A namespace with one gate, reached over a network that takes its time. `rows` counts what came there."""

    def __init__(self, rule: dict[str, Any], draw: random.Random, slowest_ms: int) -> None:
        self._gate = Gate(SqliteSql())
        policy = {"time_zone": "UTC", "limits": [], "budgets": []} | {"budgets" if "mode" in rule else "limits": [rule]}
        self.version = self._gate.rules(json.dumps(policy), 1)
        self._draw = draw
        self._slowest_ms = slowest_ms
        self.openings = 0

    def getByName(self, _org_id: str) -> GateNearby:  # noqa: N802 - the platform's name
        return self

    async def batch(self, version: int, rows: str) -> int | str:
        await self._travel()
        self.openings += sum(row[1] is not None for row in json.loads(rows))
        told = self._gate.handle(version, rows, int(asyncio.get_running_loop().time() * 1000))
        await self._travel()
        return told

    async def _travel(self) -> None:
        await asyncio.sleep(self._draw.uniform(0.1, self._slowest_ms) / 1000)


@dataclass
class Clients:
    """Clients of one organisation, each with a key of its own; their calls reach any of several isolates."""

    namespace: GateNearby
    isolates: list[Any]
    draw: random.Random
    refused: int = 0
    later: list[asyncio.Future[None]] = field(default_factory=list)

    async def call(self, key: str, isolate: Any, *, works_ms: float, lag_ms: float) -> bool:
        """Call once. The client has its answer `lag_ms` before the isolate knows that all is over."""
        record = _record(key)
        account = Caller(Principal("org-1", key, frozenset(), None), {}, self.namespace.version)
        try:
            await isolate.open(account, record, NOW + timedelta(days=400), lambda: _ask(key))
        except HeadgateError:
            self.refused += 1
            return False
        await asyncio.sleep(works_ms / 1000)
        if not lag_ms:
            isolate.leave(record)
        self.later.append(asyncio.ensure_future(self._settle(isolate, record, lag_ms)))
        return True

    async def one_after_another(self, key: str, *, stays: bool) -> None:
        """Call again and again, each time as soon as there is an answer."""
        home = self.draw.choice(self.isolates)
        for _ in range(CALLS):
            isolate = home if stays else self.draw.choice(self.isolates)
            await self.call(key, isolate, works_ms=self.draw.uniform(0, 30), lag_ms=self.draw.choice([0, 1, 15]))

    async def all(self, *works: Awaitable[object]) -> None:
        await asyncio.gather(*works)
        await asyncio.gather(*self.later)

    async def _settle(self, isolate: Any, record: UsageRecord, lag_ms: float) -> None:
        if lag_ms:
            await asyncio.sleep(lag_ms / 1000)
            isolate.leave(record)
        await isolate.delivered(record, at_once=self.draw.random() < 0.5)


def _draw(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a schedule, no secret


def _record(key: str) -> UsageRecord:
    tokens: dict[str, Any] = {**NO_TOKENS, "input_tokens": USED - 2, "output_tokens": 2}
    return UsageRecord(
        id=new_id(NOW), org_id="org-1", key_id=key, endpoint="e", model="m", provider="p", upstream_model="m",
        streamed=False, cause="finished", status=200, estimated=False, cost_nano_usd=COST,
        price_version="v", first_byte_ms=None, duration_ms=0, started_at=time_text(NOW), **tokens,
    )  # fmt: skip


def _ask(key: str) -> Ask:
    return Ask({"org": "org-1", "key": key, "model": "m"}, ESTIMATE, BOUND, 0, None, 1, 1, 1, 1, 0)


def _clients(rule: dict[str, Any], draw: random.Random, *, isolates: int, slowest_ms: int = 8) -> Clients:
    namespace = GateNearby(rule, draw, slowest_ms)
    return Clients(namespace, [GATES.JsGates(GATES.GateCalls(namespace), Callers()) for _ in range(isolates)], draw)


@pytest.mark.parametrize("rule", JUST_ENOUGH, ids=str)
@settings(max_examples=12)
@given(seed=st.integers(0, 2**32), clients=st.sampled_from([1, 2, 8]), isolates=st.integers(1, 3), stays=st.booleans())
def test_nobody_is_refused_whose_calls_fit(rule: str, seed: int, clients: int, isolates: int, stays: bool) -> None:
    """What has been answered is not under way: for one who calls one after another, and for eight at once."""

    async def calls() -> int:
        those = _clients(JUST_ENOUGH[rule](clients), _draw(seed), isolates=isolates)
        await those.all(*(those.one_after_another(f"key-{number}", stays=stays) for number in range(clients)))
        return those.refused

    assert run_virtually(calls()) == 0


def test_who_stays_with_one_isolate_does_not_wait() -> None:
    """The settlement rides before the next opening: no further call to the gate, and no pause."""

    async def calls() -> tuple[int, float]:
        those = _clients(limit("concurrent", 1), _draw(1), isolates=1, slowest_ms=1)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        works = [those.call("k", those.isolates[0], works_ms=10, lag_ms=0) for _ in range(20)]

        async def in_turn() -> None:
            for work in works:
                await work

        await those.all(in_turn())
        return those.namespace.openings, loop.time() - begun - 20 * 0.010

    openings, waited = run_virtually(calls())
    assert openings == 20
    assert waited < 20 * 2 * 0.001 + 0.1  # the ways to the gate and back, and the last settlement


def test_a_flood_of_refused_calls_asks_the_gate_hardly_more_often() -> None:
    """One call is long under way; 100 clients ask for its place for a second."""

    async def calls() -> tuple[int, int, int]:
        those = _clients(limit("concurrent", 1), _draw(1), isolates=1, slowest_ms=1)
        [isolate] = those.isolates
        loop = asyncio.get_running_loop()
        ends, slowest = loop.time() + 1, 0.0

        async def hammers(number: int) -> None:
            nonlocal slowest
            while loop.time() < ends:
                begun = loop.time()
                await those.call(f"key-{number}", isolate, works_ms=0, lag_ms=0)
                slowest = max(slowest, loop.time() - begun)
                await asyncio.sleep(0.01)

        async def flood() -> None:
            await asyncio.sleep(0.1)
            await asyncio.gather(*(hammers(number) for number in range(100)))

        await those.all(those.call("long", isolate, works_ms=5_000, lag_ms=0), flood())
        return those.namespace.openings, those.refused, round(slowest * 1000)

    openings, refused, slowest_ms = run_virtually(calls())
    assert refused > 3_000
    assert openings < refused * 1.1
    assert LINES.WAIT_MS <= slowest_ms < LINES.WAIT_MS + 20


def test_who_finds_no_room_in_line_leaves_nothing_behind_and_the_gone_make_room() -> None:
    """What ends then wakes those who wait, and no others. Of the gone, whose lines nobody asks for, room is left."""

    async def asks() -> list[str]:
        lines = LINES.Lines()

        async def ask() -> str:
            return "in"

        def waits(number: int) -> Any:
            return lines.ask_again("org-1", ("lim", f"user-{number}"), "refused", ask, "refused".__eq__)

        gone = [waits(number) for number in range(LINES.MOST_WAITING)]
        for one in gone:
            one.send(None)  # and never again, as for a request that the platform has ended
        told = [await waits(LINES.MOST_WAITING)]
        lines.wake("org-1")
        await asyncio.sleep((LINES.WAIT_MS + LINES.GONE_AFTER_MS) / 1000 + 1)
        told.append(await waits(LINES.MOST_WAITING))
        for one in gone:
            one.close()
        return told

    assert run_virtually(asks()) == ["refused", "in"]


def test_who_waits_is_not_held_up_by_one_that_was_thrown_away() -> None:
    """A request that the platform has ended never asks again. Those behind it ask when their time is over."""

    async def calls() -> list[bool]:
        those = _clients(limit("concurrent", 1), _draw(1), isolates=2, slowest_ms=1)
        here, there = those.isolates
        works = []
        for key, isolate, works_ms in (("long", there, 120), ("thrown", here, 1), ("waits", here, 1)):
            works.append(asyncio.ensure_future(those.call(key, isolate, works_ms=works_ms, lag_ms=0)))
            await asyncio.sleep(0.01)
        works[1].cancel()
        await those.all(works[0], works[2])
        return [works[0].result(), works[2].result()]

    assert run_virtually(calls()) == [True, True]


def test_a_settlement_that_nobody_could_take_along_goes_again() -> None:
    """Its call fails, and the next brings it: the row is the newest that was left."""

    async def calls() -> list[str]:
        sent: list[str] = []

        class Flaky:
            def getByName(self, _org_id: str) -> Flaky:  # noqa: N802
                return self

            async def batch(self, _version: int, rows: str) -> int:
                sent.append(json.loads(rows)[0][2]["cause"])
                if len(sent) == 1:
                    raise JsException("away")
                return 1

        gates, record = GATES.JsGates(GATES.GateCalls(Flaky()), Callers()), _record("k")
        gates.leave(replace(record, cause="lost"))
        gates.leave(record)
        await gates.delivered(record, at_once=True)
        await gates.delivered(record, at_once=True)
        return sent

    assert run_virtually(calls()) == ["finished", "finished"]


@pytest.mark.parametrize("also_gone", [False, True])
def test_a_settlement_is_brought_though_its_carrier_was_thrown_away(also_gone: bool) -> None:
    """By its own call, or, where the platform has ended that too, by one of the organisation's next. Nothing of the
    carrier runs any more, and others have come and gone meanwhile.
    """

    async def calls() -> list[list[str]]:
        sent: list[list[str]] = []

        class Namespace:
            def getByName(self, _org_id: str) -> Namespace:  # noqa: N802
                return self

            async def batch(self, _version: int, rows: str) -> int:
                sent.append([row[2]["key_id"] for row in json.loads(rows) if row[1] is None])
                if len(sent) == 1:
                    await asyncio.get_running_loop().create_future()
                return 1

        async def opened() -> None:
            account = Caller(Principal("org-1", "key", frozenset(), None), {}, 1)
            await gates.open(account, _record("opens"), NOW, lambda: _ask("key"))

        gates, mine, other = GATES.JsGates(GATES.GateCalls(Namespace()), Callers()), _record("mine"), _record("other")
        gates.leave(mine)
        carrier = asyncio.ensure_future(opened())
        await asyncio.sleep(0.001)
        gates.leave(other)
        await gates.delivered(other, at_once=True)
        if not also_gone:
            await gates.delivered(mine, at_once=False)
        await asyncio.sleep(GATES.WAIT_MS / 1000)
        for _ in range(2):
            await opened()
        carrier.cancel()
        return sent

    assert run_virtually(calls())[:4] == [["mine"], ["other"], ["mine"], []]


def test_who_carries_for_one_that_was_thrown_away_drops_no_settlement_of_others() -> None:
    """By then its queue is gone, and a new one has what was left meanwhile."""

    async def calls() -> list[str]:
        settled: list[str] = []
        batches = 0

        class Namespace:
            def getByName(self, _org_id: str) -> Namespace:  # noqa: N802
                return self

            async def batch(self, _version: int, rows: str) -> int:
                nonlocal batches
                batches += 1
                await (asyncio.sleep(0.005) if batches != 2 else asyncio.get_running_loop().create_future())
                settled.extend(row[2]["key_id"] for row in json.loads(rows) if row[1] is None)
                return 1

        gates, mine = GATES.JsGates(GATES.GateCalls(Namespace()), Callers()), _record("mine")
        account = Caller(Principal("org-1", "key", frozenset(), None), {}, 1)
        opening = [gates.open(account, _record("opens"), NOW, lambda: _ask("key")) for _ in range(4)]
        works = [asyncio.ensure_future(one) for one in opening]
        await asyncio.sleep(0.007)
        works[1].cancel()
        await asyncio.sleep(0.002)
        gates.leave(mine)
        await asyncio.gather(works[0], *works[2:])
        await gates.delivered(mine, at_once=False)
        return settled

    assert run_virtually(calls()) == ["mine"]


def test_a_line_of_which_all_are_gone_wakes_nobody() -> None:
    """Somebody came to it when the isolate was full: they were dropped, and he was sent away."""

    async def comes() -> str:
        lines, now_ms = LINES.Lines(), int(asyncio.get_running_loop().time() * 1000)
        lines._lines = {"org-1": {("lim", "k"): [LINES._Waiter(now_ms - LINES.GONE_AFTER_MS - 1)]}}
        lines._waiting, lines._swept_ms = LINES.MOST_WAITING + 1, now_ms

        async def ask() -> str:
            return "let in"

        told = str(await lines.ask_again("org-1", ("lim", "k"), "refused", ask, lambda told: told == "refused"))
        lines.wake("org-1")
        return told

    assert run_virtually(comes()) == "refused"
