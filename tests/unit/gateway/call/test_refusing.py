"""Who is refused by a rule is told which one, and by how much; so is whoever reads the log."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.world import World, new_world

CHAT = {"model": "sim/chat", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1000}
BUDGET = {"name": "Ours", "scope": {"type": "org"}, "window": "day", "limit_nano_usd": 5}
LIMIT = {"name": "Ours", "scope": {"type": "org"}, "limit": 1, "window_seconds": 60}


def refused(world: World, path: str, rule: dict[str, Any], calls: int) -> tuple[str, Any]:
    """Make a rule, and so many calls; return the rule's id and the last answer."""
    rule_id = world.ask("POST", path, rule).data["id"]
    answers = [world.ask("POST", "/v1/chat/completions", CHAT) for _ in range(calls)]
    return rule_id, answers[-1]


@pytest.mark.parametrize(
    ("path", "rule", "calls", "left", "says"),
    [
        ("/api/v1/budgets", BUDGET, 1, 5, "$0.000000005 left, resets 2026-05-05T00:00:00Z."),
        ("/api/v1/limits", LIMIT | {"unit": "requests"}, 2, 0, "is reached: 1 at most, try again in 61 s."),
        ("/api/v1/limits", LIMIT | {"unit": "requests"}, 3, 0, "is reached: 1 at most, try again in 61 s."),
        ("/api/v1/limits", LIMIT | {"unit": "tokens"}, 1, 1, ", 1 of 1 left."),
    ],
    ids=["budget", "requests", "requests, as remembered", "tokens"],
)
def test_a_refusal_tells_its_numbers(path: str, rule: dict[str, Any], calls: int, left: int, says: str) -> None:
    """By the rule's name, in words, in `details` and on the log line, which names the model and the gate's time."""
    world = new_world()
    rule_id, answer = refused(world, path, rule, calls)
    assert f'"Ours" ({rule_id})' in answer.error["message"]
    assert answer.error["message"].endswith(says)
    [detail] = answer.error["details"]
    assert rule_id in detail.values()
    bound = detail.get("needs_nano_usd", detail.get("needs"))
    assert answer.facts["bound"] == bound > left
    told = {name: answer.facts[name] for name in ("route", "model", "rule_id", "remaining", "gate_ms")}
    assert told == {
        "route": "/v1/chat/completions",
        "model": "sim/chat",
        "rule_id": rule_id,
        "remaining": left,
        "gate_ms": 0,
    }
