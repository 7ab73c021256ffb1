"""The log: one JSON line a request, with what an operator needs and nothing that is private."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.e2e.support.headgate import Headgate, chat_body
from tests.e2e.support.log import line_of, lines_of
from tests.e2e.support.names import sim_model
from tests.e2e.support.poll import until
from tests.e2e.support.raw import Connection
from tests.e2e.support.scripted import ScriptedUpstream
from tests.e2e.support.sim import SimulatedProvider
from tests.e2e.test_health import every_kind_of_answer
from tools.stack import Stack

# Every name that a line may have. A new one belongs here after somebody has thought about what it tells of a person.
NAMES = {
    *("level", "event", "request_id", "method", "route", "status", "answered_ms", "duration_ms", "org_id", "principal"),
    *("model", "provider", "streamed", "cause", "input_tokens", "output_tokens", "cost_nano_usd", "estimated"),
    *(
        "first_byte_ms",
        "error_code",
        "reason",
        "db_queries",
        "db_ms",
        "denial",
        "rule_id",
        "bound",
        "remaining",
        "gate_ms",
    ),
}


@pytest.mark.parametrize("fields", [{}, {"stream": True}], ids=["whole", "stream"])
def test_the_line_of_a_call_to_a_model(headgate: Headgate, stack: Stack, fields: dict[str, Any]) -> None:
    """It tells the route, status, principal, model, both durations, the tokens, the cost, and why the call ended."""
    key, model = headgate.new_key(), sim_model("lat150-chunks5")

    answer = headgate.as_key(key.secret).chat(model, **fields)
    line = line_of(stack, answer)

    assert (line["level"], line["event"], line["method"]) == ("info", "request", "POST")
    assert (line["route"], line["status"]) == ("/v1/chat/completions", 200)
    assert (line["principal"], line["org_id"]) == (f"key:{key.id}", stack.org_id)
    assert (line["model"], line["provider"], line["streamed"]) == (model, "sim", bool(fields))
    assert (line["cause"], line["output_tokens"], line["estimated"]) == ("finished", 5, False)
    assert line["cost_nano_usd"] == line["input_tokens"] * 100 + 2000
    assert line["duration_ms"] >= line["first_byte_ms"] >= 150
    assert headgate.record(model)["id"] == answer.headers["x-headgate-request-id"]  # so a line leads to its record


def test_the_line_of_a_refused_request(headgate: Headgate, stack: Stack) -> None:
    """A refusal has its code, and its route where there is one."""
    unknown = line_of(stack, headgate.get("/api/v1/nothing/of/the/kind"))
    assert (unknown["status"], unknown["error_code"]) == (404, "not_found")
    assert "route" not in unknown
    wrong_key = line_of(stack, headgate.as_key("hg_nobody").get("/api/v1/keys"))
    assert (wrong_key["status"], wrong_key["route"]) == (401, "/api/v1/keys")
    assert "principal" not in wrong_key
    path = f"/api/v1/keys/{headgate.new_key().id}"
    assert line_of(stack, headgate.get(path))["route"] == "/api/v1/keys/{id}"


def test_the_line_of_a_call_that_a_rule_refuses(own_headgate: Headgate, stack: Stack) -> None:
    """It tells the model, the rule, what the call needs and what is left, and how long the gate took."""
    model = sim_model()
    budget = {"name": "Pocket money", "scope": {"type": "org"}, "window": "month", "limit_nano_usd": 1_000}
    budget_id = own_headgate.post("/api/v1/budgets", budget).json()["data"]["id"]

    answer = own_headgate.chat(model, max_tokens=1000)
    line = line_of(stack, answer)

    assert (line["route"], line["status"], line["error_code"]) == ("/v1/chat/completions", 402, "budget_exceeded")
    assert (line["model"], line["rule_id"], line["remaining"]) == (model, budget_id, 1_000)
    assert line["bound"] > 1_000
    assert 0 <= line["gate_ms"] <= line["answered_ms"]
    error = answer.json()["error"]
    assert f'"Pocket money" ({budget_id})' in error["message"]
    assert re.search(r"needs up to \$0\.000\d+, \$0\.000001 left, resets 20\d\d-\d\d-01T00:00:00Z\.$", error["message"])
    assert (error["details"][0]["needs_nano_usd"], error["details"][0]["remaining_usd"]) == (line["bound"], "0.000001")


def test_the_line_tells_what_the_store_cost(headgate: Headgate, stack: Stack) -> None:
    """How often it was asked, and for how long: not at all by a call to a model from a caller who is known."""
    key, model = headgate.new_key(), sim_model()
    path = f"/api/v1/keys/{key.id}"
    read = line_of(stack, headgate.get(path))
    assert read["db_queries"] == 2  # who it is, and the key
    assert 0 <= read["db_ms"] <= read["answered_ms"] + 2  # whole milliseconds, each rounded
    headgate.as_key(key.secret).chat(model)
    assert line_of(stack, headgate.as_key(key.secret).chat(model))["db_queries"] == 0
    assert line_of(stack, headgate.call("GET", "/livez"))["db_queries"] == 0


def test_every_request_has_one_line(headgate: Headgate, stack: Stack, upstream: ScriptedUpstream) -> None:
    """Whatever the answer, there is exactly one line, and it has no names but the known ones."""
    answers = every_kind_of_answer(headgate, upstream)

    for answer in answers:
        line = line_of(stack, answer)
        assert line["event"] == "request"
        assert line["status"] == answer.status_code
        assert set(line) <= NAMES
    for answer in answers:
        assert len(lines_of(stack, answer.headers["x-headgate-request-id"])) == 1


@pytest.mark.parametrize("more", [{"stream_options": {"include_usage": True}}, {}], ids=["native", "filtered"])
def test_the_line_of_a_client_that_left(
    headgate: Headgate, stack: Stack, sim: SimulatedProvider, more: dict[str, Any]
) -> None:
    """A client that leaves has its line too, with the cause and what was used."""
    model = sim_model("stall3")
    with Connection(headgate.base_url) as connection:
        connection.post("/v1/chat/completions", headgate.key, chat_body(model, stream=True, **more))
        head = connection.head()
        connection.body_until(b'{"content":"the "')
        connection.leave("rst")

    request_id = head.headers["x-headgate-request-id"]
    [line] = until(lambda: lines_of(stack, request_id) or None, "the line of a client that left")
    assert (line["status"], line["cause"], line["estimated"]) == (200, "client_gone_mid_stream", True)
    assert line["output_tokens"] >= 3
    assert sim.cancellation(model).tokens_served == 3
