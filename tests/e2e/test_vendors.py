"""Vendors beside OpenAI, each with its own key and address: a simulated provider plays all of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.e2e.support.chosen import STORE
from tests.e2e.support.headgate import Headgate, Json
from tests.e2e.support.poll import until
from tests.e2e.support.scripted import ScriptedUpstream
from tests.e2e.support.shapes import assert_error
from tests.e2e.support.sim import SimulatedProvider
from tools.simulator import Simulator
from tools.stack import Stack

pytestmark = pytest.mark.once

KEYS = {"TOGETHER": "tg-1", "GROQ": "gsk-1", "MISTRAL": "m-1", "OPENROUTER": "or-1", "OPENAI_EU": "sk-eu"}
MODELS = ["groq/chat-chunks7", "mistral/chat-chunks7", "openrouter/sim/chat-chunks7", "openai-eu/chat-chunks7"]
RESOLD, PRICE = "together/meta-llama/Llama-3.1-405B-Instruct", 3_500
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello."}]


@pytest.fixture(scope="module")
def vendors(
    tmp_path_factory: pytest.TempPathFactory, http: httpx.Client, upstream: ScriptedUpstream
) -> Iterator[tuple[Headgate, str]]:
    """A Headgate that has several vendors; and where they are, but for Together, which is scripted."""
    simulator = Simulator(lambda _line, _number: None)
    try:
        url = simulator.wait()
        addresses = {f"{name}_BASE_URL": f"{url}/v1" for name in KEYS}
        variables = {**addresses, **{f"{name}_API_KEY": key for name, key in KEYS.items()}}
        variables |= {"MORE_PROVIDERS": "openai-eu", "TOGETHER_BASE_URL": f"{upstream.url}/v1"}
        with Stack(tmp_path_factory.mktemp("vendors"), store=STORE, variables=variables) as stack:
            yield Headgate(http, stack.base_url, stack.api_key), url
    finally:
        simulator.stop()


@pytest.mark.parametrize("model", MODELS)
def test_a_vendors_model_with_the_official_sdk(vendors: tuple[Headgate, str], http: httpx.Client, model: str) -> None:
    """Whole and streamed, with the usage where it is asked for; the record has the vendor and its own name of it."""
    headgate, url = vendors
    sim = SimulatedProvider(http, url)
    with headgate.openai() as client:
        whole = client.chat.completions.create(model=model, messages=HELLO)
        chunks = list(client.chat.completions.create(model=model, messages=HELLO, stream=True))
    name, _, theirs = model.partition("/")
    shown = sim.stats()["last_request"]["headers"]["authorization"]
    assert shown == hashlib.sha256(f"Bearer {KEYS[name.upper().replace('-', '_')]}".encode()).hexdigest()[:16]
    assert whole.choices[0].message.content == sim.text(7)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == sim.text(7)
    records = [(record["provider"], record["upstream_model"]) for record in headgate.records(model=model)]
    assert records == [(name, theirs)] * 2


def test_only_what_is_set_up_is_offered(vendors: tuple[Headgate, str]) -> None:
    """Each asked by its own key for what it has; the others' models are not found."""
    headgate, _ = vendors
    owners = {model["owned_by"] for model in headgate.get("/v1/models").json()["data"]}
    assert owners == {"groq", "mistral", "together", "openrouter", "openai-eu", "sim"}
    assert_error(headgate.chat("deepseek/deepseek-chat"), 404, openai=True)
    refused = headgate.post("/v1/embeddings", {"model": "groq/embed", "input": "x"})
    assert_error(refused, 404, openai=True)
    assert refused.json()["error"]["code"] == "unsupported_model"


def test_a_resellers_limits_open_no_cap(vendors: tuple[Headgate, str], upstream: ScriptedUpstream) -> None:
    """The price data says that this model takes 4096 tokens and gives as many, and where it is resold it takes more: 24
    calls at once are let in by what they may really cost.
    """
    headgate, _ = vendors
    usage = {"prompt_tokens": 25_000, "completion_tokens": 8_000, "total_tokens": 33_000}
    upstream.plays_as(RESOLD.partition("/")[2], json.dumps({"object": "chat.completion", "usage": usage}).encode())
    most = 2 * (100_000 + 8_000 + 1_000) * PRICE
    body = {"scope": {"type": "model", "id": RESOLD}, "window": "total", "limit_nano_usd": most}
    made = headgate.post("/api/v1/budgets", body)
    assert made.status_code == 201, made.text
    ask: Json = {"messages": [{"role": "user", "content": "x" * 100_000}], "max_tokens": 8_000}
    with ThreadPoolExecutor(24) as pool:
        statuses = list(pool.map(lambda _: headgate.chat(RESOLD, **ask).status_code, range(24)))
    assert set(statuses) == {200, 402}
    budget = f"/api/v1/budgets/{made.json()['data']['id']}"
    until(lambda: headgate.get(budget).json()["data"]["reserved_nano_usd"] == 0, "all calls to be settled")
    spent = headgate.get(budget).json()["data"]["spent_nano_usd"]
    assert 0 < spent == sum(record["cost_nano_usd"] for record in headgate.records(model=RESOLD)) <= most
