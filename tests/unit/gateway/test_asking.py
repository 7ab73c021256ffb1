"""What a call asks of the gate."""

from __future__ import annotations

import pytest

from lib.gateway.asking import ask_of, path_of
from lib.gateway.bounds import Bound
from lib.gateway.catalogue import Target
from lib.gateway.models import Price
from tests.unit.gateway.calls import PROVIDER

PATH = {"org": "o", "key": "k", "model": "m"}


@pytest.mark.parametrize("end_user", [None, "u", ""])
def test_the_path_names_an_end_user_where_there_is_one(end_user: str | None) -> None:
    """The empty name is one, too."""
    assert path_of("o", "k", "m", end_user) == (PATH if end_user is None else {**PATH, "end_user": end_user})


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
    ask = ask_of(PATH, Target(PROVIDER, "x", Price(100, 400, 50, "p")), bound, 7, 64)
    assert (ask.path, ask.estimate, ask.output_tokens) == (PATH, estimate, output)
    assert (ask.input_tokens, ask.choices, ask.floor) == (bound.input_tokens, bound.choices, 64)


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
    ask = ask_of(PATH, Target(PROVIDER, "x", price), Bound(20, 5, 1, has_output=True), 7, 64)
    assert (ask.input_price, ask.output_price, ask.call_price) == asked
