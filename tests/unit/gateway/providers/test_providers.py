"""The vendors: offered only where the deployment can call them, and silent about their keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from lib.config import Config
from lib.gateway.models import NO_LIMITS, Limits
from lib.gateway.price_table import prices
from lib.gateway.providers import PROVIDERS, Provider, configured
from tests.unit.world import CONFIG


def test_a_provider_without_its_key_or_address_is_not_offered() -> None:
    """OpenAI needs a key, the simulated one an address."""
    assert set(configured(CONFIG)) == {"openai", "sim"}
    assert set(configured(replace(CONFIG, openai_api_key=None))) == {"sim"}
    assert set(configured(replace(CONFIG, sim_base_url=None))) == {"openai"}
    assert configured(replace(CONFIG, openai_api_key=None, sim_base_url=None)) == {}


@pytest.mark.parametrize("make", PROVIDERS)
def test_a_provider_proves_who_we_are_and_does_not_show_how(make: object) -> None:
    """Its key is in its headers and never in its repr, which may be logged."""
    assert callable(make)
    provider = make(CONFIG)
    [key] = [value.removeprefix("Bearer ") for value in provider.headers.values()]
    assert key in {CONFIG.openai_api_key, CONFIG.sim_api_key}
    assert key not in repr(provider)


@pytest.mark.parametrize("make", PROVIDERS)
def test_an_answer_of_unknown_length_has_the_deployments_limit(make: Callable[[Config], Provider]) -> None:
    """`DEFAULT_OUTPUT_TOKENS`, whoever the vendor is."""
    assert make(replace(CONFIG, default_output_tokens=123)).default_output == 123


@pytest.mark.parametrize("name", ["openai", "sim"])
def test_a_providers_name_is_its_models_prefix(name: str) -> None:
    """Names are one path segment, as the store and the API check them."""
    provider = configured(CONFIG)[name]
    assert provider.name == name
    assert all(model for model in provider.listed)
    assert not provider.base_url.endswith("/")


def test_openais_models_have_openais_prices() -> None:
    """A model that is not in the table has no price, which is not the same as costing nothing."""
    provider = configured(CONFIG)["openai"]
    assert provider.price("gpt-4o") == prices("openai")["gpt-4o"]
    assert provider.price("gpt-99") is None


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
    provider = configured(CONFIG)["openai"]
    assert provider.price(model) == prices("openai")[base]
    assert provider.limits(model) == provider.limits(base) != NO_LIMITS


@pytest.mark.parametrize("model", ["ft:gpt-99:acme::9abc", "ft:", "ft::", "ft:x", "FT:gpt-4o:a::b", "gpt-4o:a::b"])
def test_another_name_with_colons_is_nobodys(model: str) -> None:
    """Its price is not known."""
    provider = configured(CONFIG)["openai"]
    assert (provider.price(model), provider.limits(model)) == (None, NO_LIMITS)


def test_every_simulated_model_has_the_same_price() -> None:
    """Any name is a model there."""
    provider = configured(CONFIG)["sim"]
    assert provider.price("anything") == provider.price("chat") is not None


def test_openais_models_have_openais_limits() -> None:
    """What is not in the table has none that we know, and no rule for images."""
    provider = configured(CONFIG)["openai"]
    assert provider.limits("gpt-4o") == Limits(128_000, 16_384)
    assert provider.limits("gpt-99") == NO_LIMITS
    assert provider.image_rule("gpt-4o") is not None
    assert provider.image_rule("gpt-99") is None


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
    provider = configured(CONFIG)["sim"]
    assert provider.limits(model) == Limits(None, most)


def test_the_simulator_counts_nothing_for_an_image() -> None:
    """Only texts."""
    rule = configured(CONFIG)["sim"].image_rule("chat")
    assert rule is not None
    assert rule.most("auto") == 0


def test_a_provider_that_tells_nothing_has_no_limits() -> None:
    """Then a call without a limit of its own has no bound."""
    silent = Provider("x", "https://x", {}, {}, ())
    assert (silent.limits("m"), silent.image_rule("m")) == (NO_LIMITS, None)
