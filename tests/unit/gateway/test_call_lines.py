"""How many lines of ours a call to a model runs: on its way every line is waited for, by every call."""

from __future__ import annotations

import sys
from collections import Counter
from types import FrameType
from typing import Any

import pytest

from tests.unit.source_tree import SRC
from tests.unit.world import World, new_world

CHAT = {"model": "sim/chat", "messages": [{"role": "user", "content": "Hello"}]}
ORG = {"type": "org"}
RULES = (
    ("limits", {"scope": ORG, "unit": "requests", "limit": 1_000_000, "window_seconds": 60}),
    ("limits", {"scope": ORG, "unit": "tokens", "limit": 1_000_000, "window_seconds": 60}),
    ("budgets", {"scope": ORG, "window": "month", "limit_nano_usd": 10**15, "mode": "hard"}),
    ("budgets", {"scope": ORG, "window": "day", "limit_nano_usd": 10**15, "mode": "hard"}),
)


def lines_of_a_call(world: World) -> Counter[str]:
    """Return how many lines of each module ran, once all is known that a call makes known to the next."""
    for _ in range(3):
        assert world.ask("POST", "/v1/chat/completions", CHAT).status == 200
    counted: Counter[str] = Counter()

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(str(SRC)):
            return None
        counted[name.removeprefix(f"{SRC}/")] += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        world.ask("POST", "/v1/chat/completions", CHAT)
    finally:
        sys.settrace(before)
    return counted


@pytest.mark.parametrize(("rules", "most"), [((), 985), (RULES, 1_420)], ids=["no rules", "four rules"])
def test_a_call_runs_no_more_lines_than_it_does(rules: Any, most: int) -> None:
    """Who adds some raises the number here, and knows why; who takes some away lowers it.

    The Worker's own part of the way is not in it: `bench/run.py --only lines` counts that, and Python's. What it shares
    with the tests' gates (`protocol`, `gate_client`) is.
    """
    world = new_world()
    for kind, rule in rules:
        assert world.ask("POST", f"/api/v1/{kind}", rule).status == 201
    counted = lines_of_a_call(world)
    assert counted.total() <= most, counted.most_common()
