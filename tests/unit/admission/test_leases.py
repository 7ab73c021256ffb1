"""Leases in histories that chance seldom finds; test_leases_machine.py has the others."""

from __future__ import annotations

import json

import pytest

from lib.admission.decision import Ask
from lib.admission.leases import LEAST_WINDOW_MS, POLICY_LEASE_MS, RATE_LEASE_MS, leasable
from lib.admission.protocol import ASK_HOME
from lib.admission.regional import IDLE_MS
from lib.admission.regional_gate import Everything
from lib.admission.rules import EACH, Budget, Limit, Subject, Unit
from tests.unit.admission.test_leases_machine import HOME, MOST, REGIONS, WINDOW_MS, Histories

NEAR, FAR = REGIONS


@pytest.fixture
def world() -> Histories:
    """A home and two regions; the first one holds leases of a limit and of the budgets."""
    world = Histories()
    for _ in range(3):
        world.call(NEAR, 10, "k1", "limited", 90_000, 1, trades=False)
        world.trade(NEAR)
    return world


def near_calls(world: Histories) -> int:
    return sum(call.gate == NEAR for call in world.calls)


def test_a_region_decides_by_itself(world: Histories) -> None:
    """And what it has let in, and what that has cost, the home knows with the next exchange."""
    before = world.home.counters(world.clock(HOME))["total"]
    world.call(NEAR, 10, "k1", "limited", 90_000, 1, trades=False)
    assert world.calls[-1].gate == NEAR
    world.settle(0, 5, again=False)
    world.trade(NEAR)
    after = world.home.counters(world.clock(HOME))["total"]
    assert (after.used, after.used + after.reserved >= before.used + before.reserved) == (before.used + 5, True)


def test_what_is_lent_at_a_leases_end_counts_for_a_window_from_then(world: Histories) -> None:
    """Else a call at its end and those of the next window would be too many."""
    world.wait(RATE_LEASE_MS - 1)
    world.gates[NEAR].region._decides_until = world.now + 1_000  # type: ignore[attr-defined] # asked meanwhile
    world.call(NEAR, 10, "k1", "limited", 90_000, 1, trades=False)
    assert world.calls[-1].gate == NEAR
    world.wait(WINDOW_MS - RATE_LEASE_MS + 100)
    for _ in range(2 * MOST):
        world.call(FAR, 10, "k1", "limited", 90_000, 1, trades=False)
    world.no_cap_is_passed()


def test_a_release_that_knows_no_leases_does_not_read_a_home_that_has_lent(world: Histories) -> None:
    """It would not count them. All other gates it reads."""
    told = "SELECT value FROM about WHERE name = 'format'"
    assert world.disks[HOME].rows(told) == [("2",)]
    assert Histories().disks[HOME].rows(told) == [("1",)]


def test_an_exchange_that_comes_late_changes_nothing(world: Histories) -> None:
    gate, home = world.region(NEAR), world.home
    for call in world.calls:
        world._end(call, 5)
    old = gate.message(world.now, Everything())
    gate.hear(home.exchange(NEAR, old, gate.region.edition, world.now), world.now, world.now)
    world.trade(NEAR)
    before = home.counters(world.now)
    assert json.loads(home.exchange(NEAR, old, gate.region.edition, world.now))[5] == "[]"
    assert home.counters(world.now) == before


def test_a_region_that_starts_anew_lets_its_leases_of_limits_go(world: Histories) -> None:
    """They end by a clock, and the next machine may have another. Budgets' leases it keeps."""
    world.crash(NEAR, -10_000)
    counter = world.region(NEAR)._book.shelf.counter
    [requests, total] = [counter(*place) for place in (("requests", "o"), ("total", "o"))]
    assert (requests.left(world.clock(NEAR)), total.left(world.clock(NEAR)) > 0) == (0, True)  # type: ignore[union-attr]


def test_a_change_that_overtakes_an_answer_is_heard(world: Histories) -> None:
    """The answer was given before the change, and says that the region may decide."""
    gate, home = world.region(NEAR), world.home
    answer = home.exchange(NEAR, gate.message(world.now, ()), gate.region.edition, world.now)
    home.bump()
    gate.region.recall(home.leases.edition)
    gate.hear(answer, world.now, world.now)
    assert not gate.region.decides(world.now)
    world.trade(NEAR)
    assert gate.region.decides(world.now)
    assert not gate.region.decides(world.now + POLICY_LEASE_MS)


@pytest.mark.parametrize("since", ["crash", "crash, settled", "another policy"])
def test_an_opening_whose_answer_was_lost_is_answered_again(world: Histories, since: str) -> None:
    """Also where the region may not decide any more: the home would let it in too, and both would count it."""
    world.call(NEAR, 10, "k1", "free", 90_000, 1, trades=False)
    [call, version] = world.calls[-1], world.home.version
    assert call.gate == NEAR
    if "settled" in since:
        world._end(call, 5)
    if "crash" in since:
        world.crash(NEAR, 0)
    else:
        world.home.bump()
        world.trade(NEAR)
    ask = call.ask._asdict()
    rows = [[name, call.deadline, {}, *asked] for name, asked in ((call.id, [ask]), ("new", [ask]), ("plain", []))]
    told = world.region(NEAR).handle(version, json.dumps(rows), world.now)
    assert isinstance(told, str)
    current, answers = json.loads(told)
    assert (current, {name: answer[0] for name, answer in answers.items()}) == (
        version,
        {call.id: "", "new": "ask_home", "plain": "ask_home"},
    )
    assert world.region(NEAR).handle(version, json.dumps(rows[1:]), world.now) in (ASK_HOME, f"[{version + 1},{{}}]")


def test_without_calls_all_goes_back(world: Histories) -> None:
    gate = world.region(NEAR)
    assert not gate.region.idle(world.now + IDLE_MS - 1)
    assert gate.region.idle(world.now + IDLE_MS)
    for call in world.calls:
        world._end(call, 5)
    world.trade(NEAR, back=True)
    assert not gate.region.unsettled()
    assert not world.home.leases.held("total", "o")


def test_nobody_is_granted_less_than_the_home_would_grant(world: Histories) -> None:
    """Who says no maximum has the model's, or is sent to the home."""
    ask = Ask({"org": "o", "key": "k1", "model": "free"}, 1, 1, None, 20, 1, 1, 1, 1, 0)
    row = json.dumps([["call-x", world.now + 1_000, {}, ask._asdict()]])
    home, near = world.home, world.gates[NEAR]
    told = json.loads(str(near.handle(home.version, row, world.now)))[1]["call-x"]
    assert (told[0], told[3]) in [("", 20), ("ask_home", None)]
    unbounded = json.dumps([["call-y", world.now + 1_000, {}, ask._asdict() | {"most_output": None}]])
    assert json.loads(str(near.handle(home.version, unbounded, world.now)))[1]["call-y"][0] == "ask_home"


@pytest.mark.parametrize(
    ("rule", "is_leased"),
    [
        (Budget("b", Subject("org", "o"), "total", 1, hard=True), True),
        (Budget("b", Subject("key", EACH), "month", 1, hard=False), True),
        (Budget("b", Subject("end_user", "u"), "day", 1, hard=True), True),
        (Budget("b", Subject("end_user", EACH), "day", 1, hard=True), False),
        (Budget("b", Subject("org", "o"), "rolling:60", 1, hard=True), False),
        (Limit("l", Subject("org", "o"), Unit.REQUESTS, 1, LEAST_WINDOW_MS, None), True),
        (Limit("l", Subject("org", "o"), Unit.REQUESTS, 1, LEAST_WINDOW_MS - 1, None), False),
        (Limit("l", Subject("org", "o"), Unit.REQUESTS, 1, LEAST_WINDOW_MS, 1), False),
        (Limit("l", Subject("org", "o"), Unit.TOKENS, 1, LEAST_WINDOW_MS, None), False),
        (Limit("l", Subject("org", "o"), Unit.CONCURRENT, 1, 0, None), False),
    ],
)
def test_only_what_is_proved_is_leased(rule: Limit | Budget, is_leased: bool) -> None:
    assert leasable(rule) is is_leased
