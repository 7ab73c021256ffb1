"""Prices: exact, in whole nano-dollars."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.ledger.usage import Price, Usage

COUNTS = st.integers(0, 2**53 - 1)
PRICES = st.builds(Price, COUNTS, COUNTS, st.none() | COUNTS, st.just("v1"))
USAGES = st.builds(Usage, input=COUNTS, output=COUNTS, cached_input=COUNTS, reasoning=COUNTS)


@given(PRICES, USAGES)
def test_a_cost_is_exact(price: Price, usage: Usage) -> None:
    """Compared with rational arithmetic: no rounding at any size."""
    cached = Fraction(min(usage.cached_input, usage.input))
    cached_price = price.input if price.cached_input is None else price.cached_input
    expected = (usage.input - cached) * price.input + cached * cached_price + Fraction(usage.output) * price.output
    assert price.cost(usage) == expected
    assert type(price.cost(usage)) is int
    assert price.cost(usage) >= 0


@given(PRICES, USAGES, USAGES)
def test_costs_of_two_calls_add_up(price: Price, one: Usage, other: Usage) -> None:
    """What is summed later is what the sum would have cost, where the cached part is a part of the input."""
    one, other = (Usage(u.input, u.output, min(u.cached_input, u.input), u.reasoning) for u in (one, other))
    both = Usage(one.input + other.input, one.output + other.output, one.cached_input + other.cached_input)
    assert price.cost(both) == price.cost(one) + price.cost(other)


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(), 0),
        (Usage(input=10), 1000),
        (Usage(input=10, cached_input=4), 800),
        (Usage(input=10, cached_input=99), 500),
        (Usage(output=3), 1200),
        (Usage(output=3, reasoning=2), 1200),
    ],
)
def test_examples(usage: Usage, cost: int) -> None:
    """Cached input costs its own price and never counts twice; reasoning is in the output already."""
    assert Price(100, 400, 50, "v1").cost(usage) == cost


def test_without_a_price_of_its_own_cached_input_costs_as_input_does() -> None:
    """None is not nought."""
    assert Price(100, 400, None, "v1").cost(Usage(input=10, cached_input=4)) == 1000
    assert Price(100, 400, 0, "v1").cost(Usage(input=10, cached_input=4)) == 600
