"""Where objects are made: as the settings say, and in no other jurisdiction than the first."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from lib.admission.decision import Ask
from lib.config import PlaceConfig
from lib.gateway.callers.callers import Callers
from lib.kernel import failures
from lib.kernel.errors import Unavailable
from lib.kernel.failures import Failure
from lib.tenants.placement_store import first_told
from tests.unit.admission.sqlite_sql import SqliteSql
from tests.unit.runtime.virtual_platform import JsException, load, run_virtually

GATES, PLACEMENT = load("objects.gates", "objects.placement")


class Binding:
    """A namespace: `asked` is how each object was reached. Guards remember as the real ones do."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.sql = SqliteSql()
        self.away = False
        self.silent_seconds: float | None = None
        self._within: tuple[str, ...] = ()

    def jurisdiction(self, name: str) -> Binding:
        inside = Binding()
        inside.asked, inside._within = self.asked, (name,)
        return inside

    def getByName(self, *arguments: Any) -> SimpleNamespace:  # noqa: N802 - the platform's name
        self.asked.append((*self._within, *arguments))
        return SimpleNamespace(placed=self._placed, explain=self._explain)

    async def _placed(self, jurisdiction: str) -> str:
        if self.silent_seconds:
            await asyncio.sleep(self.silent_seconds)
        if self.away:
            raise JsException("away")
        assert not self._within
        return first_told(self.sql, jurisdiction)

    async def _explain(self, _ask: str) -> str:
        return "null"


def placed(env: Any, **config: str) -> Any:
    return PLACEMENT.Placement(env, PlaceConfig(**config))


@pytest.mark.parametrize(
    ("config", "gate", "guard"),
    [
        ({}, ("g",), ("g",)),
        ({"gate_location": "weur"}, ("g", {"locationHint": "weur"}), ("g",)),
        ({"jurisdiction": "eu"}, ("eu", "g"), ("eu", "g")),
        ({"jurisdiction": "us", "gate_location": "wnam"}, ("us", "g", {"locationHint": "wnam"}), ("us", "g")),
    ],
)
def test_objects_are_made_where_the_settings_say(config: dict[str, str], gate: Any, guard: Any) -> None:
    """The location is the gates' alone, but of those of regions, which have their own; the jurisdiction is of all."""
    env = SimpleNamespace(GATE=Binding(), GUARD=Binding())
    placement = placed(env, **config)
    placement.gates.getByName("g")
    placement.guards.getByName("g")
    placement.gates.getByName("g@oc", "oc")
    near = (*gate[: gate.index("g")], "g@oc", {"locationHint": "oc"})
    assert (env.GATE.asked, env.GUARD.asked) == ([gate, near], [guard])


@pytest.mark.parametrize(
    ("first", "then", "told"),
    [
        ({}, {}, None),
        ({"jurisdiction": "eu"}, {"jurisdiction": "eu"}, None),
        ({"jurisdiction": "eu"}, {"jurisdiction": "us"}, "jurisdiction_changed"),
        ({"jurisdiction": "eu"}, {}, "jurisdiction_changed"),
        ({}, {"jurisdiction": "eu"}, "jurisdiction_changed"),
    ],
)
def test_another_jurisdiction_is_refused(first: dict[str, str], then: dict[str, str], told: str | None) -> None:
    """Before any gate is called: those in another one are empty. Once it is seen to be right, nobody asks again."""
    env = SimpleNamespace(GATE=Binding(), GUARD=Binding())
    asyncio.run(placed(env, **first).check())
    placement = placed(env, **then)
    gates = GATES.JsGates(GATES.GateCalls(placement.gates, placement.check), Callers())
    code = None
    for _ in range(2):
        try:
            asyncio.run(gates.explain("org", Ask({}, 0, 0, 0, None, 1, 1, 1, 1, 0)))
        except Unavailable as error:
            code = error.code
    assert code == told
    assert failures.counts() == ({Failure.JURISDICTION_CHANGED.name.lower(): 2} if told else {})
    assert len(env.GATE.asked) == (0 if told else 2)
    assert len(env.GUARD.asked) == 1 + (2 if told else 1)


@pytest.mark.parametrize("away", [None, 3_600.0], ids=["fails", "never answers"])
def test_where_nobody_can_say_no_gate_is_called(monkeypatch: pytest.MonkeyPatch, away: float | None) -> None:
    """It may be the wrong one. The log says why."""
    env = SimpleNamespace(GATE=Binding(), GUARD=Binding())
    env.GUARD.away, env.GUARD.silent_seconds = True, away
    reasons: list[str] = []
    monkeypatch.setattr(failures, "note", lambda _, reason: reasons.append(reason))
    with pytest.raises(Unavailable):
        run_virtually(placed(env, jurisdiction="eu").check())
    assert reasons == ["away" if away is None else "no answer in time"]
