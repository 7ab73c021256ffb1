"""The default prices: every line of the generated table is a price."""

from __future__ import annotations

import pytest

from lib.gateway.models import NO_LIMITS, Limits
from lib.gateway.prices import price_data
from lib.gateway.prices.price_table import known, models
from lib.ledger.usage import FLEX, Rates

EVERY = [(provider, name) for provider in price_data.TABLES for name in models(provider)]


@pytest.mark.parametrize("provider", price_data.TABLES)
def test_a_table_is_read_whole(provider: str) -> None:
    """No line is lost, and none is there twice with another price."""
    lines = price_data.TABLES[provider].splitlines()
    assert len(models(provider)) == len(lines) > 5
    assert sorted(models(provider)) == [line.split(" ")[0] for line in lines]


@pytest.mark.parametrize(("provider", "name"), EVERY, ids=[name for _, name in EVERY])
def test_a_price_is_whole_and_not_negative(provider: str, name: str) -> None:
    """Nano-dollars a token; cached input is not dearer than other; the version names the table."""
    price = models(provider)[name][0]
    numbers = [price.input, price.output, *([] if price.cached_input is None else [price.cached_input])]
    assert all(type(number) is int and 0 <= number <= 10**9 for number in numbers)
    assert price.cached_input is None or price.cached_input <= price.input
    assert price.version == price_data.VERSION


@pytest.mark.parametrize(("provider", "name"), EVERY, ids=[name for _, name in EVERY])
def test_other_prices_are_whole_and_bounded_by_what_is_asked_for(provider: str, name: str) -> None:
    """A flexible tier and a short call are never dearer: the bound rests on that. A model with free input, too."""
    price = models(provider)[name][0]
    usual = price.billed(None, 1)
    for tier, tariff in price.tiers.items():
        for rates in (tariff.usual, tariff.long or tariff.usual):
            assert all(type(number) is int and 0 < number < 10**9 for number in rates)
        assert tier != FLEX or usual.dearest(tariff.usual) == usual
        assert tier != FLEX or price.billed(None, 10**9).dearest(price.billed(FLEX, 10**9)) == price.billed(None, 10**9)
    assert (price.long_after is None) == (price.long is None)
    assert price.input or not price.output


def test_known_tiers() -> None:
    """gpt-5.4: priority costs twice as much, and more than 272,000 tokens of input make the whole call dearer."""
    price = models("openai")["gpt-5.4"][0]
    assert price.billed("priority", 272_000) == Rates(5000, 30_000, 500, 5000)
    assert price.billed("default", 272_000) == Rates(2500, 15_000, 250, 2500)
    assert price.billed("default", 272_001) == Rates(5000, 22_500, 500, 5000)
    assert price.billed("flex", 272_001) == Rates(2500, 11_250, 250, 2500)


def test_an_unknown_provider_has_no_prices() -> None:
    """Its models are used at an unknown price, which is recorded as such."""
    assert models("nobody") == {}


def test_a_known_price() -> None:
    """gpt-4o: 2.50 and 10 dollars a million tokens."""
    price = models("openai")["gpt-4o"][0]
    assert (price.input, price.output) == (2500, 10_000)


@pytest.mark.parametrize("provider", price_data.TABLES)
def test_a_limit_is_whole_and_positive(provider: str) -> None:
    """Or nobody told it."""
    for limit in (known(provider, name)[1] for name in models(provider)):
        assert all(n is None or (type(n) is int and 0 < n < 10**8) for n in (limit.most_input, limit.most_output))


def test_known_limits() -> None:
    """gpt-4o takes 128,000 tokens and gives 16,384; an embedding model gives none, and its limit is not a call's."""
    assert known("openai", "gpt-4o") == (models("openai")["gpt-4o"][0], Limits(128_000, 16_384))
    assert known("openai", "text-embedding-3-small")[1] == NO_LIMITS
    assert known("openai", "gpt-99") == known("nobody", "gpt-4o") == (None, NO_LIMITS)
