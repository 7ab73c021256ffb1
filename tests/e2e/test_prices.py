"""Prices: what a call costs is whole nano-dollars, exactly, at the price of its moment."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.support.headgate import Headgate, Json
from tests.e2e.support.names import letters, sim_model
from tests.e2e.support.scripted import ScriptedUpstream


def set_model(headgate: Headgate, name: str, upstream_model: str, provider: str = "sim", **price: int) -> Json:
    """Make or replace a model; `price` is what a token of input, output and cached input costs."""
    body: dict[str, Any] = {"provider": provider, "upstream_model": upstream_model}
    if price:
        body["price"] = {f"{kind}_nano_usd_per_token": amount for kind, amount in price.items()}
    answer = headgate.put(f"/api/v1/models/{name}", body)
    assert answer.status_code in {200, 201}, answer.text
    return dict(answer.json()["data"])


def test_the_providers_price(headgate: Headgate) -> None:
    """Without a price of its own a model costs what the provider's table says, and the record names that table."""
    model = sim_model("chunks10")
    headgate.chat(model)

    record = headgate.record(model)
    assert record["cost_nano_usd"] == record["input_tokens"] * 100 + 10 * 400
    assert record["price_version"] == "sim-1"


def test_a_price_of_ones_own(headgate: Headgate) -> None:
    """A price that the organisation sets is charged exactly, whole and streamed, and the record names its version."""
    name = letters()
    version = set_model(headgate, name, "chat-chunks10", input=7, output=13)["price_version"]
    for stream in (False, True):
        headgate.chat(name, stream=stream)

    for record in headgate.records(model=name):
        assert record["cost_nano_usd"] == record["input_tokens"] * 7 + 10 * 13
        assert record["price_version"] == version


def test_prices_change_and_records_do_not(headgate: Headgate) -> None:
    """Each version of a price is charged from its answer on; what was charged before stays as it was."""
    name = letters()
    versions = []
    for price in (1, 2, 3):
        versions.append(set_model(headgate, name, "chat-chunks10", input=0, output=price)["price_version"])
        headgate.chat(name)
    set_model(headgate, name, "chat-chunks10")
    headgate.chat(name)

    records = headgate.records(model=name)[::-1]
    assert len(set(versions)) == 3
    assert [record["price_version"] for record in records] == [*versions, "sim-1"]
    assert [record["cost_nano_usd"] for record in records][:3] == [10, 20, 30]


def test_a_price_counts_as_it_was_at_the_start(headgate: Headgate) -> None:
    """A call is charged by the price under which it began, although that changes before it ends."""
    name = letters()
    body = {"model": name, "messages": [{"role": "user", "content": "x"}], "stream": True}
    set_model(headgate, name, "chat-chunks10-gap50", input=0, output=1)
    headers = {"authorization": f"Bearer {headgate.key}"}
    with headgate.http.stream("POST", f"{headgate.base_url}/v1/chat/completions", json=body, headers=headers) as answer:
        set_model(headgate, name, "chat-chunks10-gap50", input=0, output=1000)
        assert answer.read()

    assert headgate.record(name)["cost_nano_usd"] == 10


def test_cached_input(headgate: Headgate, upstream: ScriptedUpstream) -> None:
    """Input that the provider had cached costs its own price, reasoning is a part of the output."""
    usage = (
        b'{"prompt_tokens":100,"completion_tokens":50,"prompt_tokens_details":{"cached_tokens":60},'
        b'"completion_tokens_details":{"reasoning_tokens":20}}'
    )
    model = upstream.answers(b'{"choices":[],"usage":' + usage + b"}").partition("/")[2]
    name = letters()
    set_model(headgate, name, model, "openai", input=10, output=100, cached_input=3)

    headgate.chat(name)

    record = headgate.record(name)
    assert (record["input_tokens"], record["cached_input_tokens"]) == (100, 60)
    assert (record["output_tokens"], record["reasoning_tokens"]) == (50, 20)
    assert record["cost_nano_usd"] == 40 * 10 + 60 * 3 + 50 * 100


LARGEST = 2**53 - 1  # what a provider's number may be at most, and what a JavaScript number holds exactly


@pytest.mark.parametrize(
    ("tokens", "price"), [(10_000_000, 900_000_001), (LARGEST, 0), (LARGEST, 1), (LARGEST, 5), (LARGEST, 10**9)]
)
def test_large_sums(own_headgate: Headgate, upstream: ScriptedUpstream, tokens: int, price: int) -> None:
    """Costs are exact where a float would not be. A sum that no store holds is not believed; its record stays."""
    model = upstream.answers(b'{"choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":1}}' % tokens)
    name = letters()
    set_model(own_headgate, name, model.partition("/")[2], "openai", input=price, output=2)

    for _ in range(2):
        assert own_headgate.chat(name).status_code == 200

    exact = tokens * price + 2
    for record in own_headgate.records_when(2, model=name):
        assert record["estimated"] or record["cost_nano_usd"] == (exact if exact <= LARGEST else None)
    answer = own_headgate.get("/api/v1/usage", model=name)
    assert answer.status_code == 200
    assert answer.json()["data"][0]["requests"] == 2


def test_a_model_without_a_price(headgate: Headgate, upstream: ScriptedUpstream) -> None:
    """Where nobody knows the price the cost is unknown, not zero, and reports count such calls."""
    model = upstream.answers(b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}')
    headgate.chat(model)

    record = headgate.record(model)
    assert (record["cost_nano_usd"], record["price_version"]) == (None, None)
    [line] = headgate.get("/api/v1/usage", model=model).json()["data"]
    assert (line["cost_nano_usd"], line["unpriced_requests"], line["requests"]) == (0, 1, 1)


def test_the_table_of_known_prices(own_headgate: Headgate, upstream: ScriptedUpstream) -> None:
    """A provider's well-known model has a price without anybody's doing, even where its call fails for nothing."""
    upstream.plays_as("gpt-4o", b'{"choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":1000}}')

    assert own_headgate.chat("openai/gpt-4o").status_code == 200

    record = own_headgate.record("openai/gpt-4o")
    assert record["cost_nano_usd"] == 1000 * 2500 + 1000 * 10_000
    assert record["price_version"] not in {None, "sim-1"}
