"""`POST /api/v1/budgets/actions/explain`: the gate's own answer, without a call."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.world import World, new_world

PATH = "/api/v1/budgets/actions/explain"
CALL = {"model": "sim/chat", "input_tokens": 100, "max_output_tokens": 10}  # 14,000 nano-dollars


def rule(world: World, kind: str, **fields: Any) -> str:
    answer = world.ask("POST", f"/api/v1/{kind}", {"scope": {"type": "org"}, **fields})
    assert answer.status == 201, answer.body
    return str(answer.data["id"])


def explained(world: World, **changes: Any) -> Any:
    answer = world.ask("POST", PATH, CALL | changes)
    assert answer.status == 200, answer.body
    return answer.data


def test_where_there_are_no_rules_all_is_let_in() -> None:
    nothing = {"admitted": True, "code": None, "rule_id": None, "retry_after_ms": None}
    assert explained(new_world()) == nothing


def test_a_budget_that_does_not_cover_the_call_is_named() -> None:
    """To the nano-dollar."""
    world = new_world()
    budget_id = rule(world, "budgets", window="total", limit_nano_usd=13_999)
    assert explained(world) == {
        "admitted": False, "code": "budget_exceeded", "rule_id": budget_id, "retry_after_ms": None,
    }  # fmt: skip
    assert explained(world, max_output_tokens=9)["admitted"] is True


def test_a_limit_says_when_there_may_be_room() -> None:
    world = new_world()
    limit_id = rule(world, "limits", unit="requests", limit=1, window_seconds=60)
    chat = {"model": "sim/chat", "messages": [{"role": "user", "content": "hi"}]}
    assert world.ask("POST", "/v1/chat/completions", chat).status == 200
    found = explained(world)
    assert (found["code"], found["rule_id"]) == ("requests_limit_reached", limit_id)
    assert 59_000 < found["retry_after_ms"] <= 60_060


def test_asking_counts_nothing() -> None:
    """However often."""
    world = new_world()
    rule(world, "limits", unit="requests", limit=1, window_seconds=60)
    rule(world, "budgets", window="total", limit_nano_usd=14_000)
    assert [explained(world)["admitted"] for _ in range(5)] == [True] * 5


def test_it_can_be_asked_for_another_key_and_an_end_user() -> None:
    world = new_world()
    other = world.new_key("chat:write")
    key_id = other.principal.key_id
    rule(world, "budgets", scope={"type": "key", "id": key_id}, window="total", limit_nano_usd=1)
    rule(world, "limits", scope={"type": "end_user", "id": "ann"}, unit="tokens", limit=1, window_seconds=60)
    assert explained(world)["admitted"] is True
    assert explained(world, key_id=key_id)["code"] == "budget_exceeded"
    assert explained(world, end_user="ann")["code"] == "tokens_limit_reached"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"model": "nobody/x"}, 404),
        ({"key_id": "01a00000-0000-7000-8000-000000000000"}, 404),
        ({"input_tokens": -1}, 400),
        ({"input_tokens": "5"}, 400),
        ({"choices": 0}, 400),
        ({"more": 1}, 400),
        ({"end_user": ""}, 400),
    ],
)
def test_what_can_not_be_asked(changes: dict[str, Any], status: int) -> None:
    assert new_world().ask("POST", PATH, CALL | changes).status == status


def test_another_organisations_key_is_not_there() -> None:
    world, other = new_world(), new_world()
    assert world.ask("POST", PATH, CALL | {"key_id": other.key.principal.key_id}).status == 404
