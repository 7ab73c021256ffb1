"""How much of our Python a call to a model runs: on its way all of it is waited for, by every call."""

from __future__ import annotations

import sys
from collections import Counter
from types import FrameType
from typing import Any

import pytest

from bench.python_lines import REST, stage_of
from tests.unit.source_tree import SRC
from tests.unit.world import World, new_world

CHAT = {"model": "sim/chat", "messages": [{"role": "user", "content": "Hello"}]}
STREAM = {**CHAT, "stream": True}
ORG = {"type": "org"}
RULES = (
    ("limits", {"scope": ORG, "unit": "requests", "limit": 1_000_000, "window_seconds": 60}),
    ("limits", {"scope": ORG, "unit": "tokens", "limit": 1_000_000, "window_seconds": 60}),
    ("budgets", {"scope": ORG, "window": "month", "limit_nano_usd": 10**15, "mode": "hard"}),
    ("budgets", {"scope": ORG, "window": "day", "limit_nano_usd": 10**15, "mode": "hard"}),
)


def run_of_a_call(world: World, body: object) -> tuple[Counter[str], Counter[str]]:
    """Return how many lines of each module ran, and how many calls of its functions, once all is known that a call
    makes known to the next.
    """
    for _ in range(3):
        assert world.ask("POST", "/v1/chat/completions", body).status == 200
    lines: Counter[str] = Counter()
    called: dict[FrameType, str] = {}  # one for each: a coroutine that goes on has its own still

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(str(SRC)):
            return None
        module = name.removeprefix(f"{SRC}/")
        lines[module] += event == "line"
        called[frame] = module
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        world.ask("POST", "/v1/chat/completions", body)
    finally:
        sys.settrace(before)
    return lines, Counter(called.values())


@pytest.mark.parametrize(
    ("rules", "body", "most_lines", "most_calls", "most_files"),
    [((), CHAT, 980, 290, 62), (RULES, CHAT, 1_415, 400, 64), (RULES, STREAM, 1_425, 400, 64)],
    ids=["JSON", "JSON, four rules", "stream, four rules"],
)
def test_a_call_runs_no_more_than_it_does(
    rules: Any, body: object, most_lines: int, most_calls: int, most_files: int
) -> None:
    """Who adds some raises the number here, and knows why; who takes some away lowers it.

    The Worker's own part of the way is not in it: `bench/run.py --only lines` counts that, and Python's, by the stages
    to which each module belongs. What it shares with the tests' gates (`protocol`, `gate_client`) is.
    """
    world = new_world()
    for kind, rule in rules:
        assert world.ask("POST", f"/api/v1/{kind}", rule).status == 201
    lines, calls = run_of_a_call(world, body)
    assert lines.total() <= most_lines, lines.most_common()
    assert calls.total() <= most_calls, calls.most_common()
    assert len(calls) <= most_files, sorted(calls)
    assert REST not in map(stage_of, calls)
