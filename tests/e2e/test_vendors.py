"""Vendors beside OpenAI, each with its own key and address: a simulated provider plays all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import httpx
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.e2e.support.chosen import STORE
from tests.e2e.support.headgate import Headgate
from tests.e2e.support.shapes import assert_error
from tests.e2e.support.sim import SimulatedProvider
from tools.simulator import Simulator
from tools.stack import Stack

pytestmark = pytest.mark.once

KEYS = {"GROQ": "gsk-1", "MISTRAL": "m-1", "OPENROUTER": "or-1", "OPENAI_EU": "sk-eu"}
MODELS = ["groq/chat-chunks7", "mistral/chat-chunks7", "openrouter/sim/chat-chunks7", "openai-eu/chat-chunks7"]
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello."}]


@pytest.fixture(scope="module")
def vendors(tmp_path_factory: pytest.TempPathFactory, http: httpx.Client) -> Iterator[tuple[Headgate, str]]:
    """A Headgate that has several vendors; and where they are."""
    simulator = Simulator(lambda _line, _number: None)
    try:
        url = simulator.wait()
        addresses = {f"{name}_BASE_URL": f"{url}/v1" for name in KEYS}
        variables = {**addresses, **{f"{name}_API_KEY": key for name, key in KEYS.items()}}
        variables["MORE_PROVIDERS"] = "openai-eu"
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
    assert owners == {"groq", "mistral", "openrouter", "openai-eu", "sim"}
    assert_error(headgate.chat("deepseek/deepseek-chat"), 404, openai=True)
    refused = headgate.post("/v1/embeddings", {"model": "groq/embed", "input": "x"})
    assert_error(refused, 404, openai=True)
    assert refused.json()["error"]["code"] == "unsupported_model"
