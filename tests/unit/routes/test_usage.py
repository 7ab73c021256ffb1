"""`/api/v1/usage`, from request to answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lib.kernel.errors import Unavailable
from tests.unit.gateway.fake_upstream import FakeAnswer
from tests.unit.world import World, new_world

USAGE, RECORDS = "/api/v1/usage", "/api/v1/usage/records"
TOLD = json.dumps({"usage": {"prompt_tokens": 10, "completion_tokens": 20}}).encode()


def used(*models: str) -> World:
    """Return a world in which these models were called, a day apart, the last one today."""
    world = new_world()
    world.upstream.script = [FakeAnswer(pieces=[TOLD])]
    world.clock.advance(days=1 - len(models))
    for index, model in enumerate(models):
        world.clock.advance(days=1 if index else 0)
        call = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
        assert world.ask("POST", "/v1/chat/completions", call).status == 200
    return world


def lines(world: World, query: str = "") -> list[tuple[Any, ...]]:
    answer = world.ask("GET", f"{USAGE}?{query}")
    assert answer.status == 200, answer.body
    return [(line["day"], line["model"], line["requests"], line["cost_nano_usd"]) for line in answer.data]


def test_what_was_used_is_there_at_once() -> None:
    """By day, model and key; the gate is asked to deliver first."""
    world = used("sim/a", "sim/b")
    assert lines(world) == [("2026-05-03", "sim/a", 1, 9000), ("2026-05-04", "sim/b", 1, 9000)]
    [line] = world.ask("GET", f"{USAGE}?model=sim/a").data
    assert (line["input_tokens"], line["output_tokens"], line["key_id"]) == (10, 20, world.key.principal.key_id)
    assert (line["estimated_requests"], line["unpriced_requests"]) == (0, 0)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("group_by=provider&provider=sim", [(None, None, 3, 27000)]),
        ("group_by=team&user_id=x", []),
        ("group_by=day", [("2026-05-03", None, 1, 9000), ("2026-05-04", None, 2, 18000)]),
        ("group_by=model", [(None, "sim/a", 2, 18000), (None, "sim/b", 1, 9000)]),
        ("group_by=", [(None, None, 3, 27000)]),
        (
            "group_by=model,day",
            [("2026-05-03", "sim/a", 1, 9000), ("2026-05-04", "sim/a", 1, 9000), ("2026-05-04", "sim/b", 1, 9000)],
        ),
        ("from=2026-05-04&group_by=", [(None, None, 2, 18000)]),
        ("to=2026-05-03&group_by=", [(None, None, 1, 9000)]),
        ("from=2026-05-03&to=2026-05-03&group_by=", [(None, None, 1, 9000)]),
        ("model=sim/a&group_by=", [(None, None, 2, 18000)]),
        ("key_id=nobody", []),
    ],
)
def test_sums_are_grouped_and_filtered_as_asked(query: str, expected: list[object]) -> None:
    """A group that was not asked for is null; both days are included."""
    world = used("sim/a", "sim/a")
    call = {"model": "sim/b", "messages": [{"role": "user", "content": "hi"}]}
    world.ask("POST", "/v1/chat/completions", call)
    assert lines(world, query) == expected


def test_the_last_thirty_days_are_meant_where_nothing_is_said() -> None:
    """Today included."""
    world = used("sim/a", "sim/b")
    world.clock.advance(days=28)
    assert len(lines(world)) == 2
    world.clock.advance(days=1)
    assert [line[1] for line in lines(world)] == ["sim/b"]


@pytest.mark.parametrize("path", [USAGE, RECORDS])
@pytest.mark.parametrize(
    "query",
    [
        "from=2026-05-04&to=2026-05-03",
        "from=2025-01-01&to=2026-05-04",
        "from=yesterday",
        "from=2026-13-01",
        "from=2026-02-30",
        "from=86400",
        "to=",
        "limit=101",
        "cursor=nonsense",
        "unknown=1",
        "model=" + "x" * 257,
    ],
)
def test_a_wrong_question_is_refused(path: str, query: str) -> None:
    """400: a day is YYYY-MM-DD, and the time is bounded."""
    assert new_world().ask("GET", f"{path}?{query}").status == 400


@pytest.mark.parametrize("path", [USAGE, RECORDS])
@pytest.mark.parametrize("query", ["from=9999-12-31&to=9999-12-31", "to=0001-01-01", "from=0001-01-01&to=0001-01-01"])
def test_the_ends_of_the_calendar_break_nothing(path: str, query: str) -> None:
    """There is no day behind the last and none before the first; that is an answer or a refusal, not a crash."""
    assert new_world().ask("GET", f"{path}?{query}").status in {200, 400}


def test_an_unknown_group_is_refused() -> None:
    """400, naming the parameter."""
    answer = new_world().ask("GET", f"{USAGE}?group_by=day,person")
    assert (answer.status, answer.error["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "group_by", ["day,model,key", "model", "key,day", "provider,model", "team,user,end_user,model"]
)
def test_a_report_has_pages(group_by: str) -> None:
    """One line at a time, or all at once: the same lines."""
    world = used("sim/a", "sim/b", "sim/a", "sim/c")
    whole = world.ask("GET", f"{USAGE}?group_by={group_by}").data
    paged: list[object] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = world.ask("GET", f"{USAGE}?group_by={group_by}&limit=1" + (f"&cursor={cursor}" if cursor else ""))
        paged += answer.data
        cursor = answer.body["meta"]["next_cursor"]
    assert paged == whole


def test_single_requests_are_listed_newest_first_in_pages() -> None:
    """With why they ended, and by which price."""
    world = used("sim/a", "sim/b", "sim/c")
    first = world.ask("GET", f"{RECORDS}?limit=2")
    rest = world.ask("GET", f"{RECORDS}?limit=2&cursor={first.body['meta']['next_cursor']}")
    assert [record["model"] for record in first.data + rest.data] == ["sim/c", "sim/b", "sim/a"]
    assert rest.body["meta"]["next_cursor"] is None
    record = first.data[0]
    assert (record["cause"], record["status"], record["price_version"]) == ("finished", 200, "sim-1")
    assert record["started_at"] == "2026-05-04T12:30:15.123456Z"


def test_the_request_id_finds_the_record() -> None:
    """It is the id of its record."""
    world = used("sim/a")
    [settled] = world.gates.settled
    assert [record["id"] for record in world.ask("GET", RECORDS).data] == [settled.id]


def test_a_gate_that_is_away_is_told() -> None:
    """A sum that may lack something is worse than none."""
    world = used("sim/a")
    world.gates.failure = Unavailable("away")
    assert [world.ask("GET", path).status for path in (USAGE, RECORDS)] == [503, 503]


def test_a_call_that_ended_badly_is_in_the_sums_too() -> None:
    """A refusal counts as a request and costs nothing."""
    world = used("sim/a")
    world.upstream.script = [FakeAnswer(429, pieces=[b'{"error":{}}'])]
    world.ask("POST", "/v1/chat/completions", {"model": "sim/a", "messages": [{"role": "user", "content": "hi"}]})
    assert lines(world, "group_by=") == [(None, None, 2, 9000)]
