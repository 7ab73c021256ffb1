"""Calls to a gate that is away, slow, new or broken, in virtual time: bounded, and tried again where it is safe."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lib.access.principal import Principal
from lib.gateway.callers.caller import Caller
from lib.gateway.callers.callers import Callers
from lib.kernel.errors import BadRequest, HeadgateError
from tests.unit.runtime.objects.test_gates import NOW, _ask, _record
from tests.unit.runtime.virtual_platform import JsException, load_gates, run_virtually

GATES, QUEUE, _ = load_gates()
SLOW = 3_600.0


class Gate:
    """A namespace with one gate, to which things happen. `happens` is given each call's number, from 1 on."""

    def __init__(self, happens: Callable[[int, list[Any]], Awaitable[None]]) -> None:
        self._happens = happens
        self.batches: list[list[Any]] = []  # the rows of each call
        self.sizes: list[int] = []
        self.stubs = 0
        self.others: list[str] = []

    def getByName(self, _org_id: str) -> Gate:  # noqa: N802 - the platform's name
        self.stubs += 1
        return self

    async def batch(self, version: int, rows: str) -> int:
        self.batches.append(json.loads(rows))
        self.sizes.append(len(rows.encode()))
        await self._happens(len(self.batches), self.batches[-1])
        return version or 1

    async def bump(self) -> int:
        self.others.append("bump")
        await self._happens(len(self.others), [])
        return 2

    def settled(self) -> list[str]:
        return [row[0] for rows in self.batches for row in rows if row[1] is None]


async def _open(way: Any, key: str = "key") -> str:
    account = Caller(Principal("org-1", key, frozenset(), None), {}, 1)
    try:
        await way.open(account, _record(key), NOW, lambda: _ask(key))
    except HeadgateError as error:
        return f"{error.status} {error.headers.get('retry-after')}"
    return "in"


async def _nothing(_call: int, _rows: list[Any]) -> None:
    await asyncio.sleep(0.01)


def _fails(*calls: int, **properties: bool) -> Callable[[int, list[Any]], Awaitable[None]]:
    async def happens(call: int, _rows: list[Any]) -> None:
        if not calls or call in calls:
            raise JsException("away", **properties)

    return happens


@pytest.mark.parametrize(
    ("happens", "told", "stubs"),
    [
        (_fails(1, retryable=True), "in", 2),
        (_fails(1, retryable=True, durableObjectReset=True), "in", 2),
        (_fails(retryable=True), "503 1", 2),
        (_fails(retryable=True, overloaded=True), "503 2", 1),
        (_fails(), "503 1", 1),
        (_fails(remote=True), "503 1", 1),
    ],
)
def test_a_call_is_made_a_second_time_where_that_may_help(happens: Any, told: str, stubs: int) -> None:
    """With a new stub. A gate that is overloaded is left alone at once."""
    gate = Gate(happens)
    assert run_virtually(_open(GATES.JsGates(GATES.GateCalls(gate), Callers()))) == told
    assert gate.stubs == stubs


def test_every_method_says_whether_it_may_be_called_twice() -> None:
    """What the Durable Object has and is not in the table can't be called; a change of the policy is tried again."""
    gate = Gate(_fails(1, retryable=True))
    run_virtually(GATES.JsGates(GATES.GateCalls(gate), Callers()).accounts_changed("org-1"))
    assert gate.others == ["bump", "bump"]
    with pytest.raises(KeyError):
        run_virtually(GATES.GateCalls(gate).call("org-1", "alarm"))


def test_a_gate_that_never_answers_is_given_up_after_ten_seconds() -> None:
    """The timers end with what they wait for."""

    async def calls() -> tuple[str, float]:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        way = GATES.JsGates(GATES.GateCalls(Gate(lambda *_: asyncio.sleep(SLOW))), Callers())
        return await _open(way), loop.time() - begun

    told, took = run_virtually(calls())
    assert (told, round(took)) == ("503 1", 10)


def test_a_stalled_gate_is_asked_by_one_and_not_by_all_who_wait() -> None:
    """Its first call hangs, and 3,000 wait behind it: they go in bounded calls, in their order. Where it stays away,
    each is told so in time, and it is not asked by each.
    """

    async def stalls(call: int, _rows: list[Any]) -> None:
        await asyncio.sleep(9 if call == 1 else 0.1)

    async def calls(gate: Gate) -> list[str]:
        way = GATES.JsGates(GATES.GateCalls(gate), Callers())
        return list(await asyncio.gather(*(_open(way, f"key-{number}") for number in range(3_000))))

    gate = Gate(stalls)
    assert run_virtually(calls(gate)) == ["in"] * 3_000
    assert max(map(len, gate.batches)) <= QUEUE.MOST_ROWS
    assert max(gate.sizes) <= QUEUE.MOST_BYTES
    keys = [row[2]["key_id"] for rows in gate.batches for row in rows]
    assert keys == [f"key-{number}" for number in range(3_000)]

    away = Gate(lambda *_: asyncio.sleep(SLOW))
    assert set(run_virtually(calls(away))) == {"503 1"}
    assert len(away.batches) <= 3


def test_no_more_wait_than_there_is_room_for() -> None:
    """The others are sent away at once."""

    async def calls() -> list[str]:
        way = GATES.JsGates(GATES.GateCalls(Gate(lambda *_: asyncio.sleep(9))), Callers())
        waiting = [asyncio.ensure_future(_open(way)) for _ in range(QUEUE.MOST_WAITING + 1)]
        await asyncio.sleep(0.01)
        told = await _open(way)
        for one in waiting:
            one.cancel()
        return [told]

    assert run_virtually(calls()) == ["503 1"]


@pytest.mark.parametrize("gone", ["nothing of it runs any more", "it is cancelled"])
def test_a_carrier_that_is_gone_takes_nobody_with_it(gone: str) -> None:
    """Those whose rows it carried, and those behind, go together with the first who sees it."""

    async def hangs(call: int, _rows: list[Any]) -> None:
        await asyncio.sleep(SLOW if call == 2 else 0.01)

    async def calls(gate: Gate) -> list[str]:
        way = GATES.JsGates(GATES.GateCalls(gate), Callers())
        first = asyncio.ensure_future(_open(way, "first"))
        await asyncio.sleep(0.001)
        carrier, *others = [asyncio.ensure_future(_open(way, f"key-{number}")) for number in range(40)]
        await first
        await asyncio.sleep(0.001)
        late = [asyncio.ensure_future(_open(way, f"late-{number}")) for number in range(40)]
        await asyncio.sleep(0.001)
        carrier.cancel() if gone == "it is cancelled" else _freeze(carrier)
        return list(await asyncio.gather(*others, *late))

    gate = Gate(hangs)
    assert set(run_virtually(calls(gate))) == {"in"}
    assert len(gate.batches) <= 4


def _freeze(task: asyncio.Task[Any]) -> None:
    """Have nothing of a task run any more, as the platform does with a request that it has ended."""
    waits_for: Any = task._fut_waiter  # type: ignore[attr-defined]
    for callback, _ in list(waits_for._callbacks):
        waits_for.remove_done_callback(callback)


def test_settlements_go_before_the_next_opening_however_many_there_are() -> None:
    """In bounded calls. What has been answered is not under way."""

    async def calls(gate: Gate) -> str:
        way = GATES.JsGates(GATES.GateCalls(gate), Callers())
        for _ in range(1_234):
            way.leave(_record("k"))
        return await _open(way)

    gate = Gate(_nothing)
    assert run_virtually(calls(gate)) == "in"
    assert [len(rows) for rows in gate.batches] == [500, 500, 235]
    assert [row[1] is None for rows in gate.batches for row in rows] == [True] * 1_234 + [False]


def test_settlements_that_a_gate_was_away_for_go_again_before_those_that_came_since() -> None:
    """Each once, and in their order; 10,000 of them hold no later call up for good."""

    async def away(call: int, _rows: list[Any]) -> None:
        await asyncio.sleep(0.01)
        if call <= 4:
            raise JsException("away")

    async def calls(gate: Gate) -> tuple[list[str], list[str]]:
        way = GATES.JsGates(GATES.GateCalls(gate), Callers())
        records = [_record("k") for _ in range(QUEUE.MOST_WAITING)]
        for record in records[:-1]:
            way.leave(record)
        told = [await _open(way) for _ in range(4)]
        way.leave(records[-1])
        told.append(await _open(way))
        return told, [record.id for record in records]

    told, left = run_virtually(calls(gate := Gate(away)))
    assert told == ["503 1"] * 4 + ["in"]
    assert [row[0] for rows in gate.batches[4:] for row in rows][:-1] == left


def test_a_settlement_at_which_the_gate_breaks_holds_nobody_up() -> None:
    """Whoever was with it goes alone, and arrives; it is given up, so that the gate charges its bound in the end."""
    bad = _record("bad")

    async def breaks(_call: int, rows: list[Any]) -> None:
        await asyncio.sleep(0.001)
        if any(row[0] == bad.id for row in rows):
            raise JsException("string or blob too big", remote=True)

    async def calls(gate: Gate) -> list[str]:
        way, good = GATES.JsGates(GATES.GateCalls(gate), Callers()), [_record("good") for _ in range(20)]
        for record in [*good[:10], bad, *good[10:]]:
            way.leave(record)
        told = [await _open(way), await _open(way)]
        await asyncio.gather(*(way.delivered(record, at_once=True) for record in [*good, bad]))
        told.append(await _open(way))
        assert set(gate.settled()) >= {record.id for record in good}
        assert not way._queues
        return told

    assert run_virtually(calls(Gate(breaks))) == ["503 1", "in", "in"]


def test_what_no_call_can_carry_is_refused() -> None:
    """All texts of a row are bounded, so this takes a defect of ours. It must not stand in the others' way."""
    way = GATES.JsGates(GATES.GateCalls(Gate(_nothing)), Callers())
    account = Caller(Principal("org-1", "k", frozenset(), None, member_of="x" * 200_000), {}, 1)

    async def opens() -> None:
        await way.open(account, _record("k"), NOW, lambda: _ask(account.principal.member_of))

    with pytest.raises(BadRequest):
        run_virtually(opens())
