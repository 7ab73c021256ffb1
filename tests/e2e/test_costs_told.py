"""What a client is told of its call's cost is what its record says."""

from __future__ import annotations

import json

import pytest

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import sim_model
from tests.e2e.support.shapes import assert_error
from tests.e2e.support.sim import SimulatedProvider
from tests.e2e.test_budgets_hold import budget, settled
from tests.e2e.test_openai_sdk_chat import HELLO, said

pytestmark = pytest.mark.once

COST, LEFT = "x-headgate-cost", "x-headgate-budget-remaining"
ASK = {"x-headgate-stream-cost": "true"}


def test_a_whole_answer_tells_its_cost(own_headgate: Headgate) -> None:
    """And what is left then, which is what the budget shows once the call is settled. A refusal costs nothing."""
    budget_id = budget(own_headgate, 10**6)
    model = sim_model("chunks5")
    answer = own_headgate.chat(model)
    assert answer.headers[COST] == str(own_headgate.record(model)["cost_nano_usd"])
    assert answer.headers[LEFT] == str(settled(own_headgate, budget_id)["remaining_nano_usd"])
    embedded = own_headgate.post("/v1/embeddings", {"model": "sim/embed", "input": "a word"})
    assert embedded.headers[COST] == str(own_headgate.record("sim/embed")["cost_nano_usd"])
    refused = own_headgate.chat(model, messages=[{"role": "user", "content": "x" * 20_000}])
    assert_error(refused, 402, openai=True)
    assert refused.headers[COST] == "0"


def test_a_providers_error_costs_nothing(headgate: Headgate) -> None:
    """And says so."""
    answer = headgate.chat(sim_model("err429"))
    assert (answer.status_code, answer.headers[COST]) == (429, "0")


@pytest.mark.parametrize("usage", [False, True])
def test_a_stream_tells_its_cost_behind_its_end_mark(headgate: Headgate, usage: bool) -> None:
    """When it is asked to, and else not a byte of it."""
    model = sim_model("chunks5")
    more = {"stream_options": {"include_usage": True}} if usage else {}
    body = {"model": model, "messages": HELLO, "stream": True, **more}
    answer = headgate.call("POST", "/v1/chat/completions", json=body, headers=ASK)
    before, mark, event = answer.content.rpartition(b"data: [DONE]\n\n")
    assert (COST in answer.headers, mark != b"", before.count(b"headgate.cost")) == (False, True, 0)
    head, data = event.removesuffix(b"\n\n").split(b"\n")
    assert head == b"event: headgate.cost"
    told = json.loads(data.removeprefix(b"data: "))
    assert (told["cost_nano_usd"], told["estimated"]) == (headgate.record(model)["cost_nano_usd"], False)
    assert b"headgate.cost" not in headgate.chat(model, stream=True, **more).content


def test_a_broken_stream_ends_in_its_error(headgate: Headgate) -> None:
    """Not in the event."""
    body = {"model": sim_model("cut5-chunks20"), "messages": HELLO, "stream": True}
    answer = headgate.call("POST", "/v1/chat/completions", json=body, headers=ASK)
    assert b"headgate.cost" not in answer.content


def test_what_is_neither_true_nor_false_is_refused(headgate: Headgate) -> None:
    """400, before anything is asked of a provider."""
    body = {"model": "sim/chat", "messages": HELLO, "stream": True}
    answer = headgate.call("POST", "/v1/chat/completions", json=body, headers={"x-headgate-stream-cost": "yes"})
    assert_error(answer, 400, openai=True)


@pytest.mark.parametrize("usage", [False, True])
def test_the_python_sdk_does_not_notice(headgate: Headgate, sim: SimulatedProvider, usage: bool) -> None:
    """It reads on to the end mark: the same chunks, and no error."""
    with headgate.openai() as client:
        chunks = list(
            client.chat.completions.create(
                model=sim_model("chunks30"),
                messages=HELLO,
                stream=True,
                stream_options={"include_usage": usage},
                extra_headers=ASK,
            )
        )
    assert said(chunks) == sim.text(30)
    assert (chunks[-1].usage is not None) == usage
    assert all(chunk.object == "chat.completion.chunk" for chunk in chunks)
