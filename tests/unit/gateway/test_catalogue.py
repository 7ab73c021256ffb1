"""From a model's name to the provider behind it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.gateway.catalogue import find, resolve
from lib.gateway.model_lists import ModelLists
from lib.gateway.models import NO_FACTS, NO_LIMITS, Limits, ModelFacts, ModelRoute
from lib.gateway.providers.compatible import Compatible
from lib.gateway.providers.provider import Provider
from lib.gateway.providers.vendor import Vendor
from lib.kernel.errors import NotFound
from lib.ledger.usage import Price
from tests.unit.fakes import FakeClock, run
from tests.unit.gateway.fake_upstream import FakeUpstream

KNOWN, DEFAULT, OWN = Price(1, 2, None, "table"), Price(3, 4, None, "default"), Price(5, 6, None, "own")


class Priced(Vendor):
    """A vendor with one model whose price is known."""

    def model(self, name: str) -> ModelFacts:
        return ModelFacts(KNOWN) if name == "gpt" else NO_FACTS


def listing(provider: Compatible, *names: str) -> Compatible:
    return replace(provider, vendor=replace(provider.vendor, listed=names))


OPENAI = Compatible("openai", Priced("openai", lists_itself=False, listed=("gpt",)), "https://x")
SIM = Compatible("sim", Vendor("sim", default_price=DEFAULT, lists_itself=False), "http://x")
PROVIDERS = {"openai": OPENAI, "sim": SIM}


@pytest.mark.parametrize(
    ("model", "provider", "upstream", "price"),
    [
        ("openai/gpt", OPENAI, "gpt", KNOWN),
        ("openai/other", OPENAI, "other", None),
        ("openai/ft:a/b", OPENAI, "ft:a/b", None),
        ("sim/any thing", SIM, "any thing", DEFAULT),
    ],
)
def test_a_name_is_the_provider_and_its_model(
    model: str, provider: Provider, upstream: str, price: Price | None
) -> None:
    """`provider/model`; the rest may hold slashes. An unknown price is unknown, not nought."""
    target = resolve(model, {}, PROVIDERS, None)
    assert (target.provider, target.upstream_model, target.facts.price) == (provider, upstream, price)


@pytest.mark.parametrize(
    ("own_price", "upstream", "price"), [(OWN, "gpt", OWN), (None, "gpt", KNOWN), (None, "other", None)]
)
def test_an_organisations_own_name_goes_first(own_price: Price | None, upstream: str, price: Price | None) -> None:
    """With its own price, or the provider's default for the model behind it."""
    routes = {"smart": ModelRoute("smart", "openai", upstream, own_price)}
    target = resolve("smart", routes, PROVIDERS, None)
    assert (target.provider, target.upstream_model, target.facts.price) == (OPENAI, upstream, price)


@pytest.mark.parametrize(
    ("own", "known"),
    [
        (NO_LIMITS, Limits(8, 4)),
        (Limits(6, None), Limits(6, 4)),
        (Limits(None, 3), Limits(8, 3)),
        (Limits(9, 5), Limits(9, 5)),
    ],
)
def test_what_an_organisation_says_of_a_model_goes_before_what_is_known(own: Limits, known: Limits) -> None:
    """Number by number; where it says nothing, the provider's table holds."""
    provider = Compatible("openai", Vendor("openai", limits=lambda _: Limits(8, 4)), "https://x")
    route = ModelRoute("smart", "openai", "gpt", None, own, "max_completion_tokens")
    target = resolve("smart", {"smart": route}, {"openai": provider}, None)
    assert (target.facts.limits, target.facts.output_field) == (known, "max_completion_tokens")
    assert resolve("openai/gpt", {}, {"openai": provider}, None).facts.limits == Limits(8, 4)


def test_an_own_name_may_hide_a_providers() -> None:
    """So an organisation can price, or redirect, a model that everybody has."""
    routes = {"openai/gpt": ModelRoute("openai/gpt", "sim", "chat", OWN)}
    assert resolve("openai/gpt", routes, PROVIDERS, None).provider is SIM


@pytest.mark.parametrize(
    "model", ["", "gpt", "/", "/gpt", "openai", "openai/", "Openai/gpt", "other/gpt", " openai/gpt"]
)
def test_a_name_that_leads_nowhere_is_not_found(model: str) -> None:
    """With OpenAI's code for it, and the parameter that is wrong."""
    with pytest.raises(NotFound) as caught:
        resolve(model, {}, PROVIDERS, None)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_an_own_name_for_a_provider_that_is_gone_is_not_found() -> None:
    """Its key was taken out of the deployment; nothing else is tried in its place."""
    with pytest.raises(NotFound):
        resolve("sim/x", {"sim/x": ModelRoute("sim/x", "gone", "x", OWN)}, PROVIDERS, None)


LISTED = {
    "openai": listing(OPENAI, "gpt-4o", "gpt-4o-mini", "vendor/llama-3"),
    "sim": listing(SIM, "chat", "chat-tools"),
}
OWN_NAMES = {name: ModelRoute(name, "sim", "chat", None) for name in ("smart", "team/smart", "gone/gpt-4o")} | {
    "lost/llama-3": ModelRoute("lost/llama-3", "gone", "x", None)
}


def found(model: str, allowed: set[str] | None = None, providers: Mapping[str, Provider] | None = None) -> str:
    """Return the whole name of a model, or what the error says behind its first sentence."""
    lists = ModelLists(FakeUpstream().http, FakeClock())
    providers = LISTED if providers is None else providers
    try:
        name, target = run(find(model, OWN_NAMES, providers, allowed, lists))
    except NotFound as error:
        return error.message.partition(". ")[2]
    assert target == resolve(name, OWN_NAMES, providers, allowed)
    return name


@pytest.mark.parametrize(
    ("model", "whole"),
    [
        ("smart", "smart"),  # the name itself goes before the end of another
        ("gpt-4o-mini", "openai/gpt-4o-mini"),
        ("llama-3", "openai/vendor/llama-3"),  # an own name that leads nowhere is none
        ("vendor/llama-3", "openai/vendor/llama-3"),
        ("chat", "sim/chat"),
        ("sim/anything", "sim/anything"),
    ],
)
def test_the_end_of_a_name_will_do_where_it_is_one_models(model: str, whole: str) -> None:
    """And the call goes by the whole name: else a rule about it could be walked around."""
    assert found(model) == whole


SHORT = {
    "openai": ("gpt-4o", "only-there"),
    "openai-eu": ("gpt-4o", "gpt-eu"),
    "reseller": ("openai/gpt-4o", "maker/llama", "gpt-oss"),
    "other": ("openai/gpt-4o", "maker/llama", "gpt-oss", "llama"),
}


@pytest.mark.parametrize(
    ("configured", "model", "whole"),
    [
        (SHORT, "gpt-4o", "openai/gpt-4o"),
        (SHORT, "openai/gpt-4o", "openai/gpt-4o"),
        (SHORT, "gpt-eu", "openai-eu/gpt-eu"),
        (SHORT, "llama", "other/llama"),
        (SHORT, "maker/llama", "Did you mean other/maker/llama or reseller/maker/llama?"),
        (SHORT, "gpt-oss", "Did you mean other/gpt-oss or reseller/gpt-oss?"),
        (("openai-eu", "reseller"), "gpt-4o", "openai-eu/gpt-4o"),
        (("reseller",), "gpt-4o", "reseller/openai/gpt-4o"),
    ],
)
@pytest.mark.parametrize("backwards", [False, True])
def test_a_short_name_means_its_makers_model(
    configured: Iterable[str], model: str, whole: str, backwards: bool
) -> None:
    """A reseller that is set up takes no name away, nor does a further account; what stays unclear is told, whatever
    the order of the settings.
    """
    order = sorted(configured, reverse=backwards)
    vendors = {name: Vendor(name.partition("-")[0], lists_itself=False, listed=SHORT[name]) for name in order}
    providers = {name: Compatible(name, vendor, "https://x") for name, vendor in vendors.items()}
    assert found(model, providers=providers) == whole


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        ("gpt-4o", "Did you mean gone/gpt-4o or openai/gpt-4o?"),
        ("gpt-4o-mni", "Did you mean openai/gpt-4o-mini or gone/gpt-4o?"),
        ("Openai/GPT-4o-mini", "Did you mean openai/gpt-4o-mini or gone/gpt-4o?"),
        ("other/llama-3.1", "Did you mean openai/vendor/llama-3?"),
        ("nothing-alike", ""),
        ("", ""),
        ("/", ""),
        ("-mini", ""),
    ],
)
def test_a_name_that_leads_nowhere_is_told_with_what_may_have_been_meant(model: str, hint: str) -> None:
    """Never with what was asked for."""
    assert found(model) == hint


def test_a_key_that_is_bound_is_told_of_its_own_models_alone() -> None:
    """The end of a name is the one's that it may call, and no hint names another."""
    assert found("gpt-4o", {"openai/gpt-4o", "smart"}) == "openai/gpt-4o"
    assert found("gpt-4o-mini", {"openai/gpt-4o", "smart"}) == "Did you mean openai/gpt-4o?"
    assert found("chat-tools", {"smart"}) == ""
    assert found("chat-chunks5", {"sim/chat-chunks5"}) == "sim/chat-chunks5"


def test_a_hint_costs_little_however_many_models_there_are() -> None:
    """Comparing each of 5,000 would take a second of a request that anybody can repeat."""
    names = tuple(f"gpt-{number:04d}-{'x' * 200}" for number in range(5_000))
    providers = {"openai": listing(OPENAI, *names)}
    began = time.process_time()
    with pytest.raises(NotFound):
        run(find("gpt-" + "y" * 250, {}, providers, None, ModelLists(FakeUpstream().http, FakeClock())))
    assert time.process_time() - began < 0.5


@given(st.text(min_size=1))
def test_an_error_is_the_same_for_every_name(model: str) -> None:
    """Whatever somebody pastes as a model's name stays out of answers and logs."""
    with pytest.raises(NotFound) as caught:
        resolve(model, {}, {}, None)
    assert caught.value.message == "There is no such model here, or its provider is not configured."
