"""The default prices: every line of the generated table is a price."""

from __future__ import annotations

import pytest

from lib.gateway import price_data
from lib.gateway.price_table import limits, prices

EVERY = [(provider, name) for provider in price_data.TABLES for name in prices(provider)]


@pytest.mark.parametrize("provider", price_data.TABLES)
def test_a_table_is_read_whole(provider: str) -> None:
    """No line is lost, and none is there twice with another price."""
    lines = price_data.TABLES[provider].splitlines()
    assert len(prices(provider)) == len(lines) > 20
    assert sorted(prices(provider)) == [line.split(" ")[0] for line in lines]


@pytest.mark.parametrize(("provider", "name"), EVERY, ids=[name for _, name in EVERY])
def test_a_price_is_whole_and_not_negative(provider: str, name: str) -> None:
    """Nano-dollars a token; cached input is not dearer than other; the version names the table."""
    price = prices(provider)[name]
    numbers = [price.input, price.output, *([] if price.cached_input is None else [price.cached_input])]
    assert all(type(number) is int and 0 <= number <= 10**9 for number in numbers)
    assert price.cached_input is None or price.cached_input <= price.input
    assert price.version == price_data.VERSION


def test_an_unknown_provider_has_no_prices() -> None:
    """Its models are used at an unknown price, which is recorded as such."""
    assert prices("nobody") == {}


def test_a_known_price() -> None:
    """gpt-4o: 2.50 and 10 dollars a million tokens."""
    price = prices("openai")["gpt-4o"]
    assert (price.input, price.output) == (2500, 10_000)


@pytest.mark.parametrize("provider", price_data.TABLES)
def test_a_limit_is_whole_and_positive(provider: str) -> None:
    """Or nobody told it. Every model with a price has an entry."""
    assert set(limits(provider)) == set(prices(provider))
    for limit in limits(provider).values():
        assert all(n is None or (type(n) is int and 0 < n < 10**8) for n in (limit.most_input, limit.most_output))


def test_known_limits() -> None:
    """gpt-4o takes 128,000 tokens and gives 16,384; an embedding model gives none, and its limit is not a call's."""
    table = limits("openai")
    assert (table["gpt-4o"].most_input, table["gpt-4o"].most_output) == (128_000, 16_384)
    assert (table["text-embedding-3-small"].most_input, table["text-embedding-3-small"].most_output) == (None, None)
    assert limits("nobody") == {}
