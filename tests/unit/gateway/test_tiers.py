"""Service tiers and long contexts: the price that was billed, and a bound that no bill passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.gateway.bounds import Bound
from lib.gateway.call.asking import ask_of
from lib.gateway.catalogue import Candidate
from lib.gateway.models import ModelFacts
from lib.ledger.usage import FLEX, USUAL_TIERS, Price, Rates, Tariff, Usage
from tests.unit.gateway.calls import PROVIDER

PATH = {"org": "o", "key": "k", "model": "m"}
NUMBERS = st.integers(0, 1000)
RATES = st.builds(Rates, NUMBERS, NUMBERS, NUMBERS, NUMBERS)
TARIFFS = st.builds(Tariff, RATES, st.none() | RATES)
TOKENS = st.integers(0, 400)
ASKED = st.sampled_from([*USUAL_TIERS, FLEX, "priority", "ultrafast", "", "other"])
PRICE = Price(
    10, 20, 5, "p", None, 12, 100, Rates(30, 40, 15, 36),
    {"priority": Tariff(Rates(50, 60, 25, 50)), "flex": Tariff(Rates(5, 10, 2, 6), Rates(15, 20, 7, 18))},
)  # fmt: skip


@st.composite
def prices(draw: st.DrawFn) -> Price:
    """Any price, but for what the table is tested for: flex is not dearer than usual."""
    usual = [draw(NUMBERS) for _ in range(4)]
    long = draw(st.none() | RATES)
    tiers = draw(st.dictionaries(st.sampled_from(["priority", "ultrafast"]), TARIFFS))
    if draw(st.booleans()):
        cheap = Rates(*(draw(st.integers(0, number)) for number in usual))
        tiers[FLEX] = Tariff(cheap, cheap if long is None else None)
    return Price(
        usual[0],
        usual[1],
        usual[2],
        "p",
        draw(st.none() | NUMBERS),
        usual[3],
        draw(TOKENS) if long else None,
        long,
        tiers,
    )


@given(prices(), ASKED, st.data())
def test_no_bill_passes_the_bound(price: Price, asked: str | None, data: st.DataObject) -> None:
    """Of the tier that was asked for, of the usual one that a provider may take instead, and of a flexible one; of any
    usage within the bound, however much of it was cached or written to a cache.
    """
    bound = Bound(data.draw(TOKENS), data.draw(TOKENS), 1, has_output=True)
    ask = ask_of(PATH, Candidate(PROVIDER, "x", ModelFacts(price)), bound, 1, 1, asked)
    if ask.input_tokens is None:
        assert asked not in price.tiers
        assert asked not in USUAL_TIERS
        return
    assert None not in (ask.input_price, ask.output_price, ask.output_tokens)
    most = ask.input_tokens * (ask.input_price or 0) + (ask.output_tokens or 0) * (ask.output_price or 0)
    billed = data.draw(st.sampled_from([*USUAL_TIERS, FLEX, asked]))
    usage = Usage(
        input=data.draw(st.integers(0, bound.input_tokens or 0)),
        output=data.draw(st.integers(0, ask.output_tokens or 0)),
        cached_input=data.draw(TOKENS),
        cache_write=data.draw(TOKENS),
        tier=billed,
    )
    assert price.cost(usage) <= most


@given(prices(), st.builds(Usage, TOKENS, TOKENS, TOKENS, TOKENS, TOKENS, ASKED))
def test_a_cost_is_exact_in_every_tier(price: Price, usage: Usage) -> None:
    """Each token of input is paid once: as read from a cache, as written to one, or as any other."""
    rates = price.billed(usage.tier, usage.input)
    cached = min(usage.cached_input, usage.input)
    written = min(usage.cache_write, usage.input - cached)
    parts = [
        [rates.cached_input] * cached,
        [rates.cache_write] * written,
        [rates.input] * (usage.input - cached - written),
        [rates.output] * usage.output,
    ]
    assert price.cost(usage) == sum(map(sum, parts))


@pytest.mark.parametrize(
    ("tier", "tokens", "expected"),
    [
        (None, 100, (10, 20, 5, 12)),
        ("default", 100, (10, 20, 5, 12)),
        ("default", 101, (30, 40, 15, 36)),
        ("flex", 100, (5, 10, 2, 6)),
        ("flex", 101, (15, 20, 7, 18)),
        ("priority", 100, (50, 60, 25, 50)),
        ("priority", 101, (50, 60, 25, 50)),  # no price of its own for long calls: no less than the usual one
        ("nobody-knows", 100, (50, 60, 25, 50)),
    ],
)
def test_what_is_billed(tier: str | None, tokens: int, expected: tuple[int, ...]) -> None:
    """By the tier that the answer names and its input's length; a tier that we don't know costs the dearest."""
    assert PRICE.billed(tier, tokens) == Rates(*expected)


@pytest.mark.parametrize(
    ("tier", "tokens", "expected"),
    [
        (None, 100, (10, 20, 5, 12)),
        ("auto", 101, (30, 40, 15, 36)),
        ("flex", 100, (10, 20, 5, 12)),
        ("priority", 100, (50, 60, 25, 50)),
        (None, None, (30, 40, 15, 36)),
        ("ultrafast", 1, None),
        ("", 1, None),
    ],
)
def test_what_may_be_billed_at_most(tier: str | None, tokens: int | None, expected: tuple[int, ...] | None) -> None:
    """The usual price, for flex too, since a provider may take that; the tier's own; none where it has none."""
    assert PRICE.most(tier, tokens) == (None if expected is None else Rates(*expected))


@pytest.mark.parametrize(("tier", "proved"), [(None, True), ("default", True), ("flex", True), ("priority", False)])
def test_a_price_of_ones_own_has_no_tiers(tier: str | None, proved: bool) -> None:
    """A tier that may cost more has no bound, unless its tokens cost nothing; its cost is the one price there is."""
    own = Price(100, 400, None, "p")
    ask = ask_of(PATH, Candidate(PROVIDER, "x", ModelFacts(own)), Bound(20, 5, 1, has_output=True), 7, 64, tier)
    assert (ask.input_tokens is not None, ask.input_price, ask.output_price) == (proved, 100, 400)
    assert own.cost(Usage(input=1, tier=tier)) == 100
