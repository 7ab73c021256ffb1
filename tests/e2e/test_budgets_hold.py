"""Budgets that hold: spend never passes them, whatever happens at once; and what is spent is what the records say."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.support import log
from tests.e2e.support.headgate import Headgate, Json, chat_body
from tests.e2e.support.names import letters, sim_model
from tests.e2e.support.poll import until
from tests.e2e.support.raw import Connection
from tests.e2e.support.sim import SimulatedProvider
from tools.stack import Stack

pytestmark = pytest.mark.once

PATH = "/v1/chat/completions"
NATIVE: Json = {"stream": True, "stream_options": {"include_usage": True}}
INPUT, OUTPUT = 100, 400  # what the simulated provider's models cost, in nano-dollars a token


def budget(headgate: Headgate, most: int, **fields: object) -> str:
    body = {"scope": {"type": "org"}, "window": "total", "limit_nano_usd": most, **fields}
    answer = headgate.post("/api/v1/budgets", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])


def state(headgate: Headgate, budget_id: str) -> Json:
    return dict(headgate.get(f"/api/v1/budgets/{budget_id}").json()["data"])


def settled(headgate: Headgate, budget_id: str) -> Json:
    """The budget's state once no call is under way."""
    until(lambda: state(headgate, budget_id)["reserved_nano_usd"] == 0, "all calls to be settled")
    return state(headgate, budget_id)


def recorded(headgate: Headgate) -> int:
    return sum(record["cost_nano_usd"] for record in headgate.records())


@pytest.mark.parametrize("window", ["total", "day", "week", "month", "rolling:3600"])
def test_spend_never_passes_the_budget_and_equals_the_records(own_headgate: Headgate, window: str) -> None:
    """60 at once, streams and whole answers, with and without a maximum of their own."""
    most = 40_000
    budget_id = budget(own_headgate, most, window=window)

    def call(number: int) -> int:
        fields: Json = {"max_tokens": 12} if number % 2 else {}
        return own_headgate.chat("sim/chat-chunks8", stream=number % 3 == 0, **fields).status_code

    with ThreadPoolExecutor(30) as pool:
        statuses = list(pool.map(call, range(60)))
    assert set(statuses) == {200, 402}
    shown = settled(own_headgate, budget_id)
    assert 0 < shown["spent_nano_usd"] <= most
    assert shown["spent_nano_usd"] == recorded(own_headgate)
    assert shown["remaining_nano_usd"] == most - shown["spent_nano_usd"]


# What a client may write beside model and messages, as JSON text, and what it is answered under a hard budget.
ODD = [
    ('"max_tokens":3,"max_tokens":100000', 402),  # the last of two holds, and the provider is sent one
    ('"max_tokens":100000,"max_tokens":3', 200),
    ('"max_tokens":3,"max_completion_tokens":100000', 402),
    ('"max_tokens":1000000000000', 402),
    *[(f'"max_tokens":{number}', 400) for number in ("0", "-1", "3.5", "1e9", "true", '"3"', "[]", "9007199254740992")],
    *[(f'"n":{number}', 400) for number in ("0", "129", "2.0", 'null,"best_of":0')],
    ('"n":128,"max_tokens":1000', 402),
    ('"n":2,"best_of":128,"max_tokens":1000', 402),
    ('"prediction":{"type":"content","content":"x"}', 402),
    ('"modalities":["text","audio"],"audio":{"voice":"alloy","format":"wav"}', 402),
    ('"service_tier":"made-up"', 402),
    ('"web_search_options":{}', 402),
    ('"tools":[{"type":"web_search"}]', 402),
    ('"stop":["' + "x" * 400_000 + '"]', 402),
    ('"metadata":{"a":"' + "x" * 400_000 + '"}', 402),
    ('"reasoning_effort":"high","max_tokens":3', 200),
    ('"prompt_cache_key":"k","max_tokens":3', 200),
    ('"max_tokens":null', 200),  # takes all that is left
]


def test_no_odd_request_opens_a_cap(own_headgate: Headgate) -> None:
    """Nothing that a client writes makes its bound too small, and what it writes rightly is let in."""
    most, model = 30_000_000, sim_model("chunks100000")
    budget_id = budget(own_headgate, most)
    start = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hi"}]})[:-1]
    answered = []
    for members, status in ODD:
        left = settled(own_headgate, budget_id)["remaining_nano_usd"]
        content = f"{start},{members}}}".encode()
        answer = own_headgate.call("POST", PATH, content=content, headers={"content-type": "application/json"})
        answered.append((members[:60], answer.status_code, status))
        assert int(answer.headers.get("x-headgate-cost", "0")) <= left
    assert [one for one in answered if one[1] != one[2]] == []
    assert settled(own_headgate, budget_id)["spent_nano_usd"] == recorded(own_headgate) <= most


def test_a_call_without_a_maximum_gets_one_that_the_budget_covers(own_headgate: Headgate) -> None:
    """The provider is told, and so it can't answer with more than is left."""
    budget(own_headgate, 1_000_000)
    answer = own_headgate.chat("sim/chat-chunks100000")
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["finish_reason"] == "length"
    usage = answer.json()["usage"]
    assert usage["prompt_tokens"] * INPUT + usage["completion_tokens"] * OUTPUT <= 1_000_000


def test_what_the_budget_does_not_cover_is_refused_before_the_provider(own_headgate: Headgate) -> None:
    """402, which no SDK tries again by itself; it names the budget and what is left."""
    budget_id = budget(own_headgate, 50_000)
    model = sim_model("chunks1000")
    refused = own_headgate.chat(model, max_tokens=1_000)
    assert refused.status_code == 402
    assert refused.json()["error"]["code"] == "budget_exceeded"
    assert budget_id in refused.json()["error"]["message"]
    assert refused.headers["x-headgate-budget-remaining"] == "50000"
    assert own_headgate.records(model=model) == []
    assert state(own_headgate, budget_id)["spent_nano_usd"] == 0


def test_the_tightest_of_all_levels_decides(own_headgate: Headgate) -> None:
    """An organisation, one of its keys, and one model."""
    key, model = own_headgate.new_key(), sim_model("chunks300")
    org = budget(own_headgate, 10_000_000)
    own = budget(own_headgate, 60_000, scope={"type": "key", "id": key.id})
    each = budget(own_headgate, 30_000, scope={"type": "model", "id": model})
    one = own_headgate.as_key(key.secret)
    assert own in one.chat("sim/chat-chunks200", max_tokens=200).json()["error"]["message"]
    assert each in one.chat(model, max_tokens=100).json()["error"]["message"]
    assert one.chat(model, max_tokens=5).status_code == 200
    spent = [settled(own_headgate, budget_id)["spent_nano_usd"] for budget_id in (org, own, each)]
    assert len(set(spent)) == 1
    assert spent[0] == recorded(own_headgate)


def test_a_cost_that_nobody_can_tell_is_refused_unless_it_has_a_price(own_headgate: Headgate) -> None:
    """Audio goes in by reference: nobody knows its tokens. A price for each call is a bound."""
    budget_id = budget(own_headgate, 1_000_000)
    part = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    messages = [{"role": "user", "content": [part]}]
    refused = own_headgate.chat("sim/chat", messages=messages)
    assert (refused.status_code, refused.json()["error"]["code"]) == (402, "cost_unknown")
    name = letters()
    price = {"input_nano_usd_per_token": 0, "output_nano_usd_per_token": 0, "per_request_nano_usd": 7_000}
    own_headgate.put(f"/api/v1/models/{name}", {"provider": "sim", "upstream_model": "chat", "price": price})
    assert own_headgate.chat(name, messages=messages).status_code == 200
    assert settled(own_headgate, budget_id)["spent_nano_usd"] == 7_000


def test_a_soft_budget_refuses_nobody_and_warns_once(own_headgate: Headgate, stack: Stack) -> None:
    """At half, at four fifths and at the end: a line of the log each."""
    budget_id = budget(own_headgate, 12_000, mode="soft")
    for _ in range(6):
        assert own_headgate.chat("sim/chat", max_tokens=10).status_code == 200
        settled(own_headgate, budget_id)
    assert state(own_headgate, budget_id)["spent_nano_usd"] > 12_000
    assert state(own_headgate, budget_id)["remaining_nano_usd"] == 0

    def told() -> list[int]:
        said = re.findall(r'^.*"budget_spent".*$', log.text(stack), re.MULTILINE)
        return [int(re.findall(r'"percent":(\d+)', line)[0]) for line in said if budget_id in line]

    until(lambda: 100 in told(), "the last warning")
    assert told() == sorted(set(told()) & {50, 80, 100})


@pytest.mark.parametrize("mode", ["hard", "soft"])
@pytest.mark.parametrize(
    ("words", "fields"),
    [("chunks2000-stall3", {"stream": True}), ("chunks2000-stall3", NATIVE), ("chunks2000-lat20000", {})],
    ids=["stream", "stream with usage", "whole"],
)
def test_who_leaves_pays_the_bound_of_a_hard_budget_and_an_estimate_of_others(
    own_headgate: Headgate, sim: SimulatedProvider, words: str, fields: Json, mode: str
) -> None:
    """Nobody knows how far the provider had come. So a hard budget is not passed, whatever it had served."""
    budget_id = budget(own_headgate, 5_000_000, mode=mode)
    model = sim_model(words)
    with Connection(own_headgate.base_url) as connection:
        connection.post("/v1/chat/completions", own_headgate.key, chat_body(model, max_tokens=1_000, **fields))
        sim.wait_until_active(model)
        held = until(lambda: state(own_headgate, budget_id)["reserved_nano_usd"] or None, "the call is let in")
        assert held >= 1_000 * OUTPUT
        connection.leave("rst")
    shown, record = settled(own_headgate, budget_id), own_headgate.record(model)
    assert (shown["spent_nano_usd"], record["estimated"]) == (record["cost_nano_usd"], True)
    if mode == "soft":
        assert 0 < shown["spent_nano_usd"] < 100 * OUTPUT
        return
    served = sim.of(model)
    assert served["prompt_tokens"] * INPUT + served["completion_tokens"] * OUTPUT <= shown["spent_nano_usd"] == held


def test_a_call_that_the_provider_refuses_costs_nothing(own_headgate: Headgate) -> None:
    budget_id = budget(own_headgate, 5_000_000)
    assert own_headgate.chat("sim/chat-err500", max_tokens=100).status_code == 500
    assert settled(own_headgate, budget_id)["spent_nano_usd"] == 0
