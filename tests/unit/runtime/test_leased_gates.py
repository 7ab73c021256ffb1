"""An isolate and the gate of its region: what that lets in is settled there, and for all else the home is asked."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from lib.access.principal import Principal
from lib.admission.protocol import ASK_HOME
from lib.gateway.callers.caller import Caller
from lib.gateway.callers.callers import Callers
from lib.kernel.errors import HeadgateError
from tests.unit.runtime.objects.test_gates import GATES, NOW, _ask, _record
from tests.unit.runtime.virtual_platform import JsException, run_virtually

NEAR = "org-1@weur"
IN = ["", "", 0, None, [{}, None]]
REFUSED_HOME = ["budget_exceeded", "b", -1, None, [{}, 0], None, None, [None, 1, 0, 1, None]]


class Objects:
    """Gates that answer as told: what each says of an opening, by its name. `came` is what has come, in order."""

    def __init__(self, leased: bool, near: Any) -> None:
        self.leased = leased
        self.near = near
        self.came: list[tuple[str, str]] = []
        self.hints: dict[str, str | None] = {}
        self.home: Any = IN

    def getByName(self, name: str, location: str | None = None) -> Any:  # noqa: N802 - the platform's name
        self.hints[name] = location
        return _Object(self, name)


class _Object:
    def __init__(self, objects: Objects, name: str) -> None:
        self._objects = objects
        self._name = name

    async def batch(self, _version: int, rows: str) -> int | str:
        objects = self._objects
        parsed = json.loads(rows)
        objects.came += [(self._name, "open" if row[1] is not None else "settle") for row in parsed]
        says = objects.near if "@" in self._name else objects.home
        if isinstance(says, Exception):
            raise says
        if isinstance(says, int):
            return says
        answers = {row[0]: says for row in parsed if row[1] is not None}
        return json.dumps([1, answers, 1] if objects.leased and "@" not in self._name else [1, answers])


async def _calls(objects: Objects, times: int = 2) -> list[str]:
    """Make some calls, each settled before the next one; return how each went."""
    isolate, told = GATES.JsGates(GATES.GateCalls(objects), Callers()), []
    for _ in range(times):
        record = _record("k")
        account = Caller(Principal("org-1", "k", frozenset(), None), {}, 1)
        try:
            await isolate.open(account, record, NOW + timedelta(days=1), lambda: _ask("k"))
        except HeadgateError as error:
            told.append(error.code)
            continue
        isolate.leave(record)
        await isolate.delivered(record, at_once=True)
        told.append("in")
    assert not isolate._near
    return told


@pytest.mark.parametrize(
    ("leased", "region", "near", "told", "came"),
    [
        (False, "weur", IN, ["in", "in"], ["org-1 open", "org-1 settle"] * 2),
        (True, None, IN, ["in", "in"], ["org-1 open", "org-1 settle"] * 2),
        (True, "weur", IN, ["in", "in"], ["org-1 open", "org-1 settle", f"{NEAR} open", f"{NEAR} settle"]),
        (True, "weur", ["ask_home", "", 0, None, [{}, None]], ["in", "in"],
         ["org-1 open", "org-1 settle", f"{NEAR} open", "org-1 open", "org-1 settle"]),
        (True, "weur", ASK_HOME, ["in", "in"],
         ["org-1 open", "org-1 settle", f"{NEAR} open", "org-1 open", "org-1 settle"]),
        (True, "weur", 2, ["in", "in"],
         ["org-1 open", "org-1 settle", f"{NEAR} open", "org-1 open", "org-1 settle"]),
        (True, "weur", JsException("away"), ["in", "gate_unavailable"],
         ["org-1 open", "org-1 settle", f"{NEAR} open"]),
    ],
    ids=["exact", "no region", "let in near", "not covered", "may not decide", "another policy", "away"],
)  # fmt: skip
def test_the_region_is_asked_first_once_the_home_says_so(
    monkeypatch: pytest.MonkeyPatch, leased: bool, region: str | None, near: Any, told: list[str], came: list[str]
) -> None:
    monkeypatch.setattr(GATES.place_of, "region", lambda: region)
    objects = Objects(leased, near)
    assert run_virtually(_calls(objects)) == told
    assert [" ".join(one) for one in objects.came] == came
    assert objects.hints == {"org-1": None, NEAR: "weur"} if NEAR in str(came) else {"org-1": None}


def test_a_refusal_is_the_homes_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """And once the home no longer says so, no region is asked."""
    monkeypatch.setattr(GATES.place_of, "region", lambda: "weur")
    objects = Objects(leased=True, near=["ask_home", "", 0, None, [{}, None]])

    async def calls() -> list[str]:
        isolate, told = GATES.JsGates(GATES.GateCalls(objects), Callers()), []
        for leased, home in ((True, IN), (True, REFUSED_HOME), (False, IN), (False, IN)):
            objects.leased, objects.home = leased, home
            account = Caller(Principal("org-1", "k", frozenset(), None), {}, 1)
            try:
                await isolate.open(account, _record("k"), NOW + timedelta(days=1), lambda: _ask("k"))
                told.append("in")
            except HeadgateError as error:
                told.append(error.code)
        return told

    assert run_virtually(calls()) == ["in", "budget_exceeded", "in", "in"]
    assert [name for name, _ in objects.came] == ["org-1", NEAR, "org-1", NEAR, "org-1", "org-1"]


def test_an_account_that_is_newer_than_any_version_is_the_homes_to_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GATES.place_of, "region", lambda: "weur")
    objects = Objects(leased=True, near=IN)

    async def calls() -> None:
        isolate = GATES.JsGates(GATES.GateCalls(objects), Callers())
        for is_new in (False, True):
            account = Caller(Principal("org-1", "k", frozenset(), None), {}, 1, is_new=is_new)
            await isolate.open(account, _record("k"), NOW + timedelta(days=1), lambda: _ask("k"))

    run_virtually(calls())
    assert [name for name, _ in objects.came] == ["org-1", "org-1"]
