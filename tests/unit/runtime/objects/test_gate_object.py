"""The gate as an object: what may come between two of its awaits."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from lib.store.database import StoreUnavailable
from lib.store.tenant import Org
from tests.unit.admission.sqlite_sql import SqliteSql
from tests.unit.admission.test_gate_rules import BUDGET, opening
from tests.unit.runtime.virtual_platform import load, run_virtually

ORG_ID, REGION = "o" * 36, "weur"
RECALL_SECONDS = 0.5
[OBJECT] = load("objects.gate_object")


def _policy(*, most: int) -> str:
    rules = {"time_zone": "UTC", "limits": [], "budgets": [BUDGET | {"limit": most}], "admission": "leased"}
    return json.dumps(rules)


class World:
    """An organisation's gate as the platform holds it, with a region that has asked it; `recalls` are calls to that."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, region: str = "") -> None:
        self.recalls: list[str] = []
        self.reads: list[
            tuple[float, str]
        ] = []  # of the rules: how long each takes, and what it finds; "": the store is away
        self.alarms: list[int] = []
        self.events: list[tuple[str, str]] = []  # of the audit log: action and result
        self.looks = 0
        monkeypatch.setattr(OBJECT.audit_store, "last_number", self._last_number)
        monkeypatch.setattr(OBJECT.audit_store, "behind", self._behind)
        self.meanwhile: Any = lambda: None  # what happens while a region is asked
        store = SimpleNamespace(open=lambda: SimpleNamespace(close=lambda: asyncio.sleep(0)))
        monkeypatch.setattr(OBJECT, "store_of", lambda _: store)
        monkeypatch.setattr(OBJECT, "policy_store", SimpleNamespace(load_policy=self._load_policy))
        monkeypatch.setattr(OBJECT, "Placement", lambda *_: SimpleNamespace(gates=self))
        sql = SqliteSql()

        def execute(text: str, *values: Any) -> Any:
            rows = sql.run(text, *values)
            return SimpleNamespace(raw=lambda: SimpleNamespace(toArray=lambda: SimpleNamespace(to_py=lambda: rows)))

        storage = SimpleNamespace(
            sql=SimpleNamespace(exec=execute), transactionSync=sql.atomically, setAlarm=self.alarms.append
        )
        name = f"{ORG_ID}@{region}" if region else ORG_ID
        platform = SimpleNamespace(storage=storage, id=SimpleNamespace(name=name))
        self.made = SimpleNamespace(_ctx=platform), SimpleNamespace(_env=SimpleNamespace())
        self.gate = OBJECT.Gate(*self.made)

    def getByName(self, name: str, _location: str | None = None) -> World:  # noqa: N802 - the platform's name
        assert name == f"{ORG_ID}@{REGION}"
        return self

    async def recall(self, _edition: int, places: str) -> None:
        self.recalls.append(places)
        self.meanwhile()
        await asyncio.sleep(RECALL_SECONDS)

    async def lend(self, most: int) -> None:
        """Have rules, and a region that holds some of the budget."""
        self.reads = [(0, _policy(most=most))]
        await self.gate.rules()
        self.gate.exchange(REGION, json.dumps([1, [], [["b", "o", most]]]), 0)

    async def _last_number(self, *_: object) -> int:
        return len(self.events)

    async def _behind(self, _database: object, _owner: Org, after: int) -> Any:
        self.looks += 1
        rows = [
            SimpleNamespace(seq=place, action=action, result=result)
            for place, (action, result) in enumerate(self.events, 1)
            if place > after
        ]
        return rows[: OBJECT.audit_store.MOST_FOLLOWED]

    def ruled(self) -> list[int]:
        """Return the budgets by which the gate decides."""
        return [budget.most for budget in self.gate._gate._book.policy.budgets]

    async def _load_policy(self, *_: object) -> str:
        seconds, found = self.reads.pop(0)
        await asyncio.sleep(seconds)
        if not found:
            raise StoreUnavailable("away")
        return found


def test_rules_that_somebody_else_has_read_meanwhile_hold_in_all_regions_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reading that began first is dropped, but its caller too is answered when no region decides by the old."""

    async def changes() -> None:
        world = World(monkeypatch)
        await world.lend(100)
        world.reads = [(0.3, _policy(most=50)), (0.2, _policy(most=40))]
        began = asyncio.get_running_loop().time()
        first, second = asyncio.ensure_future(world.gate.rules()), asyncio.ensure_future(world.gate.rules())
        await first
        assert asyncio.get_running_loop().time() - began >= 0.3 + RECALL_SECONDS
        await second
        assert world.ruled() == [40]

    run_virtually(changes())


def test_who_was_let_in_before_a_region_was_asked_stays_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the policy has a new version since: else it would be asked for once more, perhaps of a region."""

    async def calls() -> None:
        world = World(monkeypatch)
        await world.lend(100)
        version = world.gate._gate.version
        world.meanwhile = world.gate._gate.bump
        small, large = opening("a"), opening("b", output_tokens=60)
        told = json.loads(await world.gate.batch(version, json.dumps([small, large])))
        assert list(map(json.loads, world.recalls)) == [[["b", "o"]]]
        assert (told[0], {name: answer[0] for name, answer in told[1].items()}) == (
            version,
            {"a": "", "b": "budget_exceeded"},
        )

    run_virtually(calls())


@pytest.mark.parametrize("others", [[], [(0.2, _policy(most=50))]], ids=["alone", "beside an earlier one"])
def test_rules_that_could_not_be_read_are_read_by_the_alarm(
    monkeypatch: pytest.MonkeyPatch, others: list[tuple[float, str]]
) -> None:
    """Their caller was told that it failed, but the store has them. A change of accounts reads no rules."""

    async def changes() -> None:
        world = World(monkeypatch)
        world.gate._gate.disk.keep_event(0)  # it has looked what else there is
        world.reads = [*others, (0.3, ""), (0, ""), (0, _policy(most=40))]
        told = [world.gate.rules() for _ in range(len(others) + 1)]
        *_, failed = await asyncio.gather(*told, return_exceptions=True)
        assert isinstance(failed, StoreUnavailable)
        for _ in range(3):  # the last has nothing to read
            assert world.alarms
            await world.gate.alarm()
        assert world.ruled() == [40]
        assert world.reads == []

    run_virtually(changes())


@pytest.mark.parametrize(
    ("events", "told", "read", "bumped"),
    [
        ([("budget.updated", "ok")], None, True, False),
        ([("key.revoked", "ok")], None, True, True),
        ([("limit.created", "ok"), ("key.revoked", "ok")], "rules", True, True),
        ([("key.minted", "ok"), ("key.revoked", "ok")], "rule", True, True),
        ([("key.created", "ok")], None, True, False),
        ([("team.created", "ok"), ("invitation.created", "ok")], None, True, False),
        ([("of.a_later_release", "ok")], None, True, True),
        ([("key.revoked", "denied")], None, False, False),
        ([], None, False, False),
        ([("budget.updated", "ok")], "bump", True, False),
    ],
    ids=[
        "rules",
        "a key",
        "a key beside rules that were told",
        "a key beside one rule that was told",
        "nobody's yet",
        "of no account",
        "of a release that knows more",
        "refused",
        "nothing",
        "by an old isolate, which told the accounts only",
    ],
)
def test_a_change_that_nobody_told_is_found(
    monkeypatch: pytest.MonkeyPatch, events: list[tuple[str, str]], told: str | None, read: bool, bumped: bool
) -> None:
    """Who made it was answered 503, or has died: then a key that was revoked in the store would go on for ever."""

    async def changes() -> None:
        world = World(monkeypatch)
        world.reads = [(0, _policy(most=50))]  # by a gate that has never looked
        await world.gate.alarm()
        world.events += events
        world.reads = [(0, _policy(most=40))]
        if told == "bump":
            world.gate.bump()
        elif told == "rules":
            world.reads = [(0, _policy(most=45)), *world.reads]
            await world.gate.rules()
        elif told == "rule":
            world.gate.rule(json.dumps({"gone": "no such"}))
        world.gate._look_ms = 0  # a minute later
        version = world.gate._gate.version
        await world.gate.alarm()
        assert world.ruled() == [40 if read else 50]
        assert (world.gate._gate.version > version) is bumped
        looks = world.looks
        await world.gate.alarm()
        assert world.looks == looks, "not with each alarm"
        assert OBJECT.Gate(*world.made)._gate.disk.event() == len(events)

    run_virtually(changes())


def test_of_many_changes_the_last_is_found_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others change more in a minute than one look reads."""

    async def changes() -> None:
        world = World(monkeypatch)
        world.gate._gate.disk.keep_event(0)
        world.events = [*[("limit.updated", "ok")] * OBJECT.audit_store.MOST_FOLLOWED, ("key.revoked", "ok")]
        world.reads = [(0, _policy(most=40))] * 2
        version = world.gate._gate.version
        for _ in range(2):
            await world.gate.alarm()
        assert world.gate._gate.version > version + 1  # the first rules are one, too

    run_virtually(changes())


def test_a_region_asks_the_home_though_the_store_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does not use goes back, and its spending is told: neither needs the store."""

    async def alarm() -> None:
        world = World(monkeypatch, region=REGION)
        asked: list[int] = []

        async def tick(now: int) -> int:
            asked.append(now)
            return now + 1_000

        async def send(_: int) -> None:
            raise StoreUnavailable("away")

        monkeypatch.setattr(world.gate._abroad, "tick", tick)
        monkeypatch.setattr(world.gate._outbox, "send", send)
        await world.gate.alarm()
        assert len(asked) == 1
        assert world.alarms == [asked[0] + 1_000]

    run_virtually(alarm())
