"""The vendors: a row each, what goes to them byte for byte, and what is known of their models."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from lib.gateway.formats.openai.chat import CHAT as CHAT_FORMAT
from lib.gateway.models import NO_FACTS, NO_LIMITS, Limits
from lib.gateway.prices.price_data import TABLES
from lib.gateway.prices.price_table import models
from lib.gateway.providers.table import VENDORS
from lib.gateway.providers.vendor import Vendor
from lib.kernel.failures import Failure
from tests.unit.gateway.fake_upstream import FakeAnswer
from tests.unit.gateway.providers.configuring import provider
from tests.unit.world import World, new_world

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
MESSAGES = [{"role": "user", "content": "Hello"}]
ADDRESSES = {vendor.name: vendor.address or f"https://{vendor.name}.internal/v1" for vendor in VENDORS}
ASKED: Mapping[str, object] = {"stream_options": {"include_usage": True}}
# A vendor, one of its models, what a stream asks for beside what its client did, as which it takes an answer's length.
ROWS = [
    ("openai", "gpt-4o", ASKED, "max_tokens"),
    ("openai", "gpt-5-mini", ASKED, "max_completion_tokens"),
    ("groq", "openai/gpt-oss-120b", ASKED, "max_tokens"),
    ("mistral", "mistral-large-latest", {}, "max_tokens"),
    ("deepseek", "deepseek-v4-pro", ASKED, "max_tokens"),
    ("xai", "grok-4.7", ASKED, "max_tokens"),
    ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", ASKED, "max_tokens"),
    ("openrouter", "anthropic/claude-sonnet-5.5", ASKED, "max_tokens"),
    ("openrouter", "openai/gpt-5-mini", ASKED, "max_completion_tokens"),
    ("anannas", "openai/gpt-5-mini", ASKED, "max_completion_tokens"),
    ("fireworks", "accounts/fireworks/models/kimi-k2p5", ASKED, "max_tokens"),
    ("perplexity", "sonar-pro", ASKED, "max_tokens"),
    ("vllm", "Qwen/Qwen3-8B", ASKED, "max_tokens"),
    ("ollama", "gpt-5:latest", ASKED, "max_tokens"),
    ("sim", "chat", ASKED, "max_tokens"),
]


def world_with(name: str) -> World:
    """Return a world that has one vendor, with a key and, where it has none of its own, an address."""
    prefix = name.upper()
    return new_world({f"{prefix}_API_KEY": "k-1", f"{prefix}_BASE_URL": ADDRESSES[name]})


def test_every_vendor_has_a_row_here() -> None:
    """So no row goes untried."""
    assert {name for name, *_ in ROWS} == {vendor.name for vendor in VENDORS}


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(("name", "model", "asked", "length"), ROWS)
def test_what_goes_to_a_vendor(name: str, model: str, asked: Mapping[str, object], length: str, streamed: bool) -> None:
    """Its address, its key, its own name of the model with all slashes, and nothing that it would refuse."""
    world = world_with(name)
    body = {"messages": MESSAGES, "stream": streamed, "max_tokens": 3}
    assert world.ask("POST", CHAT, {**body, "model": f"{name}/{model}"}).status == 200
    [call] = world.upstream.sent
    assert (call.url, call.headers) == (
        f"{ADDRESSES[name]}/chat/completions",
        {"authorization": "Bearer k-1", "content-type": "application/json"},
    )
    assert json.loads(call.body) == {**body, "model": model, **(asked if streamed else {})}
    assert world.gates.settled[-1].provider == name
    known = provider(name, **variables(name)).model(model)
    granted = CHAT_FORMAT.granted(b'{"model":"m"}', {"model": "m"}, model, known, 7)
    assert json.loads(granted) == {"model": "m", length: 7}


def variables(name: str) -> dict[str, str]:
    return {f"{name.upper()}_API_KEY": "k-1", f"{name.upper()}_BASE_URL": ADDRESSES[name]}


FUNCTION = {"type": "function", "function": {"name": "f"}}
ADVISOR = {"type": "openrouter:advisor", "parameters": {"model": "openai/gpt-5-pro"}}


def test_who_tells_usage_unasked_is_not_asked_by_the_client_either() -> None:
    """Mistral refuses `stream_options`; it tells the usage all the same, and this client is shown it."""
    world = world_with("mistral")
    last = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":4,"completion_tokens":2}}'
    events = [last + b"\n\n", b"data: [DONE]\n\n"]
    asking: dict[str, object] = {"model": "mistral/m", "messages": MESSAGES, "stream": True}
    for wanted in (True, False):
        world.upstream.script = [FakeAnswer(headers={"content-type": "text/event-stream"}, pieces=events)]
        answer = world.ask("POST", CHAT, {**asking, **(ASKED if wanted else {})})
        assert (b"usage" in answer.body) is wanted
        assert world.gates.settled[-1].output_tokens == 2
    assert [json.loads(call.body) for call in world.upstream.sent] == [{**asking, "model": "m"}] * 2


@pytest.mark.parametrize(
    ("name", "sent", "arrives"),
    [
        ("mistral", {"seed": 1, "user": "u", "safety_identifier": "s", "store": True}, {"random_seed": 1}),
        ("mistral", {"seed": 1, "random_seed": 2, "logit_bias": {"1": 2}}, {"random_seed": 2, "logit_bias": {"1": 2}}),
        ("mistral", {"seed": None, "max_completion_tokens": 5}, {"max_tokens": 5}),
        (
            "openrouter",
            {"models": ["openai/gpt-5-pro"], "route": "fallback", "preset": "x", "user": "u"},
            {"user": "u"},
        ),
        ("openrouter", {"tools": [ADVISOR, FUNCTION, "x"], "plugins": [{"id": "fusion"}]}, {"tools": [FUNCTION]}),
        ("openrouter", {"tools": [ADVISOR]}, {}),
        ("openrouter", {"tools": ADVISOR}, {}),
        ("anannas", {"models": ["openai/gpt-5-pro"], "seed": 1}, {"seed": 1}),
        ("openai", {"tools": [ADVISOR]}, {"tools": [ADVISOR]}),
        ("openai", {"models": ["x"], "seed": 1, "user": "u"}, {"models": ["x"], "seed": 1, "user": "u"}),
    ],
)
@pytest.mark.parametrize("path", [CHAT, EMBEDDINGS])
def test_a_row_says_which_fields_have_another_name_or_do_not_go(
    name: str, sent: dict[str, object], arrives: dict[str, object], path: str
) -> None:
    """So an end user can be named to whom no vendor's refusal answers, and no field leads to another model than the
    one that a key is bound to. What would change an answer goes as it came.
    """
    if path == EMBEDDINGS and "max_tokens" in arrives:
        return
    world = world_with(name)
    own: dict[str, object] = {"messages": MESSAGES} if path == CHAT else {"input": "x"}
    assert world.ask("POST", path, {"model": f"{name}/m", **own, **sent}).status == 200
    assert json.loads(world.upstream.sent[0].body) == {"model": "m", **own, **arrives}


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_a_model_whose_vendor_does_not_speak_a_format_is_told_so(vendor: Vendor) -> None:
    """It is 404, as OpenAI's for a model that is of another API, and nothing is sent anywhere."""
    name, speaks = vendor.name, vendor.speaks
    world = world_with(name)
    answer = world.ask("POST", EMBEDDINGS, {"model": f"{name}/m", "input": "x"})
    if "embeddings" in speaks:
        assert [call.url for call in world.upstream.sent] == [f"{ADDRESSES[name]}/embeddings"]
        return
    assert (answer.status, answer.error["code"], answer.error["param"]) == (404, "unsupported_model", "model")
    assert (world.upstream.sent, world.gates.opened) == ([], [])


def test_a_server_without_a_key_is_sent_none() -> None:
    """Neither with a call nor for its list."""
    found = provider("vllm", VLLM_BASE_URL="http://gpu/v1")
    assert found.listing is not None
    assert found.listing.headers == {}
    assert found.request("embeddings", "m", b"", found.secret).headers == {"content-type": "application/json"}
    assert not found.shown


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_a_secret_is_hidden_whatever_header_has_it(header: str) -> None:
    """Redaction knows the key itself, and not how a header is written."""
    found = provider("groq", GROQ_API_KEY="plain+key/1")
    fault = found.fault(401, json.dumps({"error": {header: "Basic plain+key/1"}}).encode(), found.secret)
    assert (fault.operators, b"plain" in fault.body) == (Failure.PROVIDER_REFUSED_KEY, False)


FLAGGED = b'{"error":{"code":403,"message":"Moderation","metadata":{"reasons":["x"],"flagged_input":"y"}}}'
VIOLATES = (
    b'{"code":"permission-denied","error":"Content violates usage guidelines. Team: 0b1c-22, API key ID: 9f-881"}'
)


@pytest.mark.parametrize(
    ("name", "status", "body", "fault"),
    [
        ("openrouter", 403, FLAGGED, None),
        ("xai", 403, VIOLATES, None),
        ("xai", 403, b'{"code":"permission-denied","error":"no credits"}', Failure.PROVIDER_REFUSED_KEY),
        ("openrouter", 403, b'{"error":{"code":403,"message":"Key limit exceeded"}}', Failure.PROVIDER_REFUSED_KEY),
        ("groq", 403, FLAGGED, Failure.PROVIDER_REFUSED_KEY),
        ("openrouter", 401, FLAGGED, Failure.PROVIDER_REFUSED_KEY),
        ("deepseek", 402, b'{"error":{"message":"Insufficient Balance"}}', Failure.PROVIDER_OUT_OF_CREDIT),
        ("openrouter", 402, b"<html>", Failure.PROVIDER_OUT_OF_CREDIT),
        ("openai", 429, b'{"error":{"code":"insufficient_quota"}}', Failure.PROVIDER_OUT_OF_CREDIT),
        ("openai", 429, b'{"error":{"code":"rate_limit_exceeded"}}', None),
        ("openai", 400, b'{"error":{"message":"\\"insufficient_quota\\""}}', None),
    ],
)
def test_whose_a_refusal_is(name: str, status: int, body: bytes, fault: Failure | None) -> None:
    """A caller mends what it has asked, and nothing of the account; of that nothing shows."""
    found = provider(name, **variables(name)).fault(status, body, None)
    assert found.operators is fault
    assert b"0b1c-22" not in found.body
    assert b"9f-881" not in found.body


@pytest.mark.parametrize("vendor", [vendor for vendor in VENDORS if vendor.prices], ids=lambda vendor: vendor.name)
def test_a_vendors_models_have_its_prices(vendor: Vendor) -> None:
    """Every table is some vendor's. What is not in it has no price, which is not the same as costing nothing."""
    name, table = vendor.name, models(vendor.prices)
    found = provider(name, **variables(name))
    assert all(found.model(model).price == price for model, (price, _) in table.items())
    assert table
    assert found.model("gpt-99").price is None
    assert {each.prices for each in VENDORS if each.prices} == set(TABLES)


@pytest.mark.parametrize("name", ["openrouter", "anannas", "perplexity", "vllm"])
def test_a_hard_budget_refuses_what_has_no_price(name: str) -> None:
    """By saying that nobody knows what it costs; an organisation's own price lets it in."""
    world = world_with(name)
    budget = {"scope": {"type": "org"}, "window": "day", "limit_nano_usd": 10**12, "mode": "hard"}
    assert world.ask("POST", "/api/v1/budgets", budget).status == 201
    body = {"model": f"{name}/a/b", "messages": MESSAGES}
    answer = world.ask("POST", CHAT, body)
    assert (answer.status, answer.error["code"]) == (402, "cost_unknown")
    price = {"input_usd_per_million_tokens": "1", "output_usd_per_million_tokens": "2"}
    own = {"provider": name, "upstream_model": "a/b", "price": price}
    assert world.ask("PUT", f"/api/v1/models/{name}/a/b", own).status == 201
    assert world.ask("POST", CHAT, body).status == 200


def test_an_answer_of_unknown_length_has_the_deployments_limit() -> None:
    """`DEFAULT_OUTPUT_TOKENS`, whoever the vendor is."""
    world = new_world(default_output_tokens=123)
    assert {each.default_output for each in world.parts.gateway.providers.values()} == {123}


@pytest.mark.parametrize(
    ("name", "asked"), [("openai", False), ("groq", True), ("perplexity", False), ("vllm", True), ("sim", False)]
)
def test_who_is_asked_for_its_models(name: str, asked: bool) -> None:
    """Who has no list, and whose models the price data has all of, is not; any other server at an address is."""
    found = provider(name, **variables(name))
    assert (found.listing is not None) is asked
    elsewhere = provider(name, **{**variables(name), f"{name.upper()}_BASE_URL": "https://other/v1"})
    assert (elsewhere.listing is not None) is (name != "sim")


FINE_TUNED = [
    ("ft:gpt-4o-mini-2024-07-18:acme::9abc", "ft:gpt-4o-mini-2024-07-18"),
    ("ft:gpt-4o-mini-2024-07-18:acme:sorter:9abc:ckpt-step-100", "ft:gpt-4o-mini-2024-07-18"),
    ("ft:gpt-3.5-turbo:acme::9abc", "ft:gpt-3.5-turbo"),
    ("ft:gpt-5-mini:acme::9abc", "gpt-5-mini"),  # the table has no price of its fine-tuned ones
    ("ft:gpt-4o-mini-2024-07-18", "ft:gpt-4o-mini-2024-07-18"),
]


@pytest.mark.parametrize(("model", "base"), FINE_TUNED)
def test_a_fine_tuned_model_is_its_bases_kind(model: str, base: str) -> None:
    """Its price, and what it takes and gives."""
    found = provider("openai")
    assert found.model(model).price == models("openai")[base][0]
    assert found.model(model).limits == found.model(base).limits != NO_LIMITS


@pytest.mark.parametrize("model", ["ft:gpt-99:acme::9abc", "ft:", "ft::", "ft:x", "FT:gpt-4o:a::b", "gpt-4o:a::b"])
def test_another_name_with_colons_is_nobodys(model: str) -> None:
    """Its price is not known."""
    found = provider("openai")
    assert (found.model(model).price, found.model(model).limits) == (None, NO_LIMITS)


def test_every_simulated_model_has_the_same_price() -> None:
    """Any name is a model there."""
    found = provider("sim")
    assert found.model("anything").price == found.model("chat").price is not None


def test_openais_models_have_openais_limits() -> None:
    """What is not in the table has none that we know, and no rule for images."""
    found = provider("openai")
    assert found.model("gpt-4o").limits == Limits(128_000, 16_384)
    assert found.model("gpt-4o").image_rule is not None
    assert found.model("gpt-99") == NO_FACTS


@pytest.mark.parametrize(
    ("model", "most"),
    [
        ("chat", 10),
        ("chat-chunks3", 3),
        ("chat-lat5-chunks007-gap1", 7),
        ("chat-chunks0", 1),
        ("a-chunks100000", 100_000),
    ],
)
def test_a_simulated_models_name_tells_its_longest_answer(model: str, most: int) -> None:
    """As `tools/sim/README.md` says: ten chunks unless the name says otherwise, each a token. Any input is taken."""
    found = provider("sim")
    assert found.model(model).limits == Limits(None, most)


def test_the_simulator_counts_nothing_for_an_image() -> None:
    """Only texts."""
    rule = provider("sim").model("chat").image_rule
    assert rule is not None
    assert rule.most("auto") == 0
