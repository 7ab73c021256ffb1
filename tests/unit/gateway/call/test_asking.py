"""What a call asks of the gate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.gateway.bounds import Bound
from lib.gateway.call.asking import ask_of, path_of
from lib.gateway.catalogue import Candidate, resolve
from lib.gateway.models import NO_LIMITS, Limits, ModelFacts, ModelRoute
from lib.gateway.prices.price_table import names
from lib.gateway.providers.compatible import Compatible
from lib.gateway.providers.table import VENDORS
from lib.gateway.providers.vendor import Vendor
from lib.ledger.usage import Price
from tests.unit.gateway.calls import PROVIDER

PATH = {"org": "o", "key": "k", "model": "m"}


@pytest.mark.parametrize("end_user", [None, "u", ""])
def test_the_path_names_an_end_user_where_there_is_one(end_user: str | None) -> None:
    """The empty name is one, too."""
    assert path_of("o", "k", "m", end_user) == (PATH if end_user is None else {**PATH, "end_user": end_user})


@pytest.mark.parametrize(
    ("team", "member_of", "others"), [(None, "t v", "t v"), ("t", "t v", "v"), ("t", "v", "v"), ("t", "t", None)]
)
def test_a_team_stands_once_on_a_path(team: str | None, member_of: str, others: str | None) -> None:
    """Whether the key is in it, or its person, or both: what covers both counts a call once."""
    path = path_of("o", "k", "m", None, team_id=team, user_id="u", member_of=member_of)
    assert (path.get("team"), path.get("member_of")) == (team, others)


@pytest.mark.parametrize(
    ("bound", "estimate", "output"),
    [
        (Bound(20, None, 3, has_output=True), 7, None),
        (Bound(20, 5, 3, has_output=True), 22, 5),
        (Bound(None, 5, 1, has_output=True), 12, 5),
        (Bound(20, None, 1, has_output=False), 7, 0),
    ],
)
def test_it_asks_for_the_bound(bound: Bound, estimate: int, output: int | None) -> None:
    """What has no output asks for none, and not for as much as there is."""
    ask = ask_of(PATH, Candidate(PROVIDER, "x", ModelFacts(Price(100, 400, 50, "p"))), bound, 7, 64)
    assert (ask.path, ask.estimate, ask.output_tokens) == (PATH, estimate, output)
    assert (ask.input_tokens, ask.choices, ask.floor) == (bound.input_tokens, bound.choices, 64)


@pytest.mark.parametrize(
    ("limits", "bound", "estimate", "most"),
    [
        (NO_LIMITS, 20, 7, 4096),  # nobody knows anything: the deployment's default
        (Limits(None, 16_384), 20, 7, 16_384),
        (Limits(8192, 4096), 20, 7, 4096),
        (Limits(8192, 8192), 20, 7, 8172),  # what the context has left, by proof
        (Limits(8192, None), 6000, 1500, 3346),  # half of what the estimate leaves, where the proof leaves less
        (Limits(8192, None), None, 1500, 3346),
        (Limits(8192, None), 40_000, 10_000, 1),  # too long: the provider says so
        (Limits(100, None), 20, 7, 80),
    ],
)
def test_what_is_put_in_is_what_the_model_has(limits: Limits, bound: int | None, estimate: int, most: int) -> None:
    """Never as much as a budget would pay for: a provider refuses more than its model has."""
    target = Candidate(PROVIDER, "x", ModelFacts(Price(100, 400, 50, "p"), limits))
    ask = ask_of(PATH, target, Bound(bound, None, 1, has_output=True), estimate, 64)
    assert ask.most_output == most


@given(
    st.one_of(st.none(), st.integers(1, 10**8)),
    st.one_of(st.none(), st.integers(1, 10**8)),
    st.one_of(st.none(), st.integers(0, 2**53)),
    st.integers(0, 2**53),
)
def test_no_call_is_bounded_by_its_budget_alone(
    most_input: int | None, most_output: int | None, bound: int | None, estimate: int
) -> None:
    """Whatever is known of the model, and however long the input: at least a token, at most what the model has."""
    target = Candidate(PROVIDER, "x", ModelFacts(Price(100, 400, 50, "p"), Limits(most_input, most_output)))
    ask = ask_of(PATH, target, Bound(bound, None, 1, has_output=True), estimate, 64)
    assert ask.most_output is not None
    assert 1 <= ask.most_output <= min(most_output or PROVIDER.default_output, most_input or 10**9)


# The rows whose limits are the vendor's own word, at its own address. Whoever adds one here shows where it says so.
KEEPS_ITS_WORD = {"openai", "sim"}
PRICED = [(vendor, model) for vendor in VENDORS for model in (*names(vendor.prices), "unheard-of")]


@given(
    st.sampled_from(PRICED),
    st.booleans(),
    st.one_of(st.none(), st.integers(1, 10**7)),
    st.integers(1, 10**7),
    st.builds(Limits, *[st.one_of(st.none(), st.integers(1, 10**6))] * 2),
)
def test_no_bound_is_below_what_a_provider_may_bill(
    priced: tuple[Vendor, str], at_home: bool, proved: int | None, wanted: int, own: Limits
) -> None:
    """A number of somebody's list lowers none: only the vendor's own word, of a name that stays with its model, at its
    own address, and what the organisation says of its model.
    """
    vendor, model = priced
    address = vendor.address if at_home and vendor.address else "https://another.example/v1"
    provider = Compatible(vendor.name, vendor, address, "k-1")
    facts = provider.model(model)
    holds = vendor.name in KEEPS_ITS_WORD and "latest" not in model and (at_home or vendor.name == "sim")
    known = own.over(facts.limits if holds else NO_LIMITS)
    own_route = ModelRoute("m", vendor.name, model, None, own)
    target = resolve("m", {"m": own_route}, {vendor.name: provider}, None)
    ask = ask_of(PATH, target, Bound(proved, wanted, 1, has_output=True), 7, 64)
    most = proved if proved is None or known.most_input is None else min(proved, known.most_input)
    assert ask.input_tokens == most
    assert ask.output_tokens == (wanted if known.most_output is None else min(wanted, known.most_output))


@pytest.mark.parametrize(
    ("price", "asked"),
    [
        (None, (None, None, 0)),
        (Price(100, 400, None, "p"), (100, 400, 0)),
        (Price(100, 400, 50, "p", 9), (100, 400, 9)),
        (Price(100, 400, 150, "p"), (150, 400, 0)),
    ],
)
def test_the_dearest_way_is_asked_for(price: Price | None, asked: tuple[int | None, int | None, int]) -> None:
    """Nobody knows how much of the input will be cached; an unknown price stays unknown."""
    ask = ask_of(PATH, Candidate(PROVIDER, "x", ModelFacts(price)), Bound(20, 5, 1, has_output=True), 7, 64)
    assert (ask.input_price, ask.output_price, ask.call_price) == asked
