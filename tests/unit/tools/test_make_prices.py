"""The price table is made from litellm's: whole nano-dollars, and only what tokens alone decide."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tools.make_prices import PROVIDERS, nano, render, rows

CHAT: dict[str, Any] = {
    "litellm_provider": "openai",
    "mode": "chat",
    "input_cost_per_token": Decimal("2.5e-06"),
    "output_cost_per_token": Decimal("1e-05"),
    "cache_read_input_token_cost": Decimal("1.25e-06"),
    "max_input_tokens": 128_000,
    "max_output_tokens": 16_384,
}


def test_a_model_is_a_line() -> None:
    """Its name, three prices, and what it takes and gives."""
    assert rows({"b": CHAT, "a": CHAT}, "openai") == [f"{name} 2500 10000 1250 128000 16384" for name in "ab"]


def test_what_nobody_told_is_a_dash() -> None:
    """No price is not a price of nothing, and no limit is not a limit of none."""
    known = ("litellm_provider", "mode", "input_cost_per_token")
    assert rows({"a": {name: CHAT[name] for name in known}}, "openai") == ["a 2500 0 - - -"]


def test_an_embedding_models_limit_is_not_a_calls() -> None:
    """It is for each input, and a call has up to 2048 of them."""
    model = {**CHAT, "mode": "embedding", "max_input_tokens": 8191, "max_output_tokens": None}
    assert rows({"a": model}, "openai") == ["a 2500 10000 1250 - -"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("a", {"litellm_provider": "azure"}),
        ("a", {"mode": "image_generation"}),
        ("a", {"input_cost_per_audio_token": 1}),
        ("gpt-9-search-preview", {}),
        ("gpt-9-search-api", {}),
    ],
)
def test_what_is_not_charged_by_the_token_alone_is_left_out(name: str, change: dict[str, Any]) -> None:
    """Others' models, images, sounds, and a search for every answer."""
    assert rows({name: {**CHAT, **change}}, "openai") == []


@pytest.mark.parametrize(("told", "kept"), [({}, []), ({"source": "https://a.example"}, ["a 0 0 - 128000 16384"])])
def test_nobody_is_believed_without_a_source_that_a_model_costs_nothing(told: dict[str, Any], kept: list[str]) -> None:
    """Fireworks' embeddings stand there so: no budget would ever count them."""
    prices = {"input_cost_per_token": Decimal(0), "output_cost_per_token": Decimal(0)}
    model = {name: value for name, value in CHAT.items() if not name.startswith("cache")}
    assert rows({"a": {**model, **prices, **told}}, "openai") == kept


def test_other_prices_of_a_model_stand_behind() -> None:
    """Service tiers, calls with a long input, and writing to a cache: the dearer, by how long the cache lasts."""
    model = {
        **CHAT,
        "cache_creation_input_token_cost": Decimal("3e-06"),
        "cache_creation_input_token_cost_above_12hr": Decimal("4e-06"),
        "input_cost_per_token_above_272k_tokens": Decimal("5e-06"),
        "output_cost_per_token_above_272k_tokens": Decimal("1.5e-05"),
        "input_cost_per_token_priority": Decimal("6e-06"),
        "input_cost_per_token_above_272k_tokens_priority": Decimal("7e-06"),
        "cache_read_input_token_cost_above_272k_tokens_priority": Decimal("1e-06"),
        "input_cost_per_token_batches": Decimal("1e-06"),
        "input_cost_per_token_above_272k_tokens_batches": Decimal("1e-06"),
        "input_cost_per_token_flex": Decimal("1.25e-06"),
        "output_cost_per_token_flex": Decimal("5e-06"),
    }
    [line] = rows({"a": model}, "openai")
    assert line.split(" ")[6:] == [
        "write=4000",
        "usual+=5000,15000,5000,5000",
        "flex=1250,5000,1250,1250",
        "priority=6000,10000,6000,6000",
        "priority+=7000,10000,1000,7000",
        "after=272000",
    ]


def test_a_model_has_one_threshold() -> None:
    """A line holds no more: whoever makes the table must see it."""
    with pytest.raises(ValueError, match="several thresholds"):
        rows({"a": {**CHAT, **{f"input_cost_per_token_above_{n}k_tokens": Decimal(1) for n in (128, 200)}}}, "openai")


def test_a_price_is_rounded_up() -> None:
    """So that a charge is never below the provider's."""
    assert [nano(Decimal(text)) for text in ("1e-9", "1.1e-9", "0")] == [1, 2, 0]


def test_the_module_that_is_made_is_python() -> None:
    """With a table for each provider, and the version of its source."""
    made: dict[str, Any] = {}
    exec(compile(render("1.2.3", {"a": CHAT}), "price_data", "exec"), made)  # noqa: S102 — it is what is tested
    assert made["VERSION"] == "litellm-1.2.3"
    assert set(made["TABLES"]) == set(PROVIDERS)
    assert made["TABLES"]["openai"] == "a 2500 10000 1250 128000 16384\n"


def test_a_models_name_is_the_vendors_own() -> None:
    """Without what stands before it in the file; what has nothing there is no model's name, but a class of sizes."""
    model = {**CHAT, "litellm_provider": "together_ai"}
    table = {"together_ai/meta-llama/L-3": model, "together-ai-4.1b-8b": model}
    assert rows(table, "together_ai") == ["meta-llama/L-3 2500 10000 1250 128000 16384"]
