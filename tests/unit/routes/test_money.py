"""Money is told in both forms and taken in either: one of them, exactly."""

from __future__ import annotations

from typing import Any

import pytest

from lib.admission.rules import MOST_AMOUNT
from lib.kernel.money import dollars_name
from tests.seen import DOCUMENT
from tests.unit.sign_in.bound_keys import MINT
from tests.unit.world import Answer, World, new_world

ORG = {"scope": {"type": "org"}, "window": "month"}


def of_budget(world: World, fields: dict[str, Any]) -> Answer:
    return world.ask("POST", "/api/v1/budgets", ORG | fields)


def of_change(world: World, fields: dict[str, Any]) -> Answer:
    made = of_budget(world, {"limit_nano_usd": 7})
    return world.ask("PATCH", f"/api/v1/budgets/{made.data['id']}", fields, headers={"if-match": "*"})


def of_adjustment(world: World, fields: dict[str, Any]) -> Answer:
    told = {name.replace("limit", "amount"): value for name, value in fields.items()}
    made = of_budget(world, {"limit_nano_usd": 7})
    return world.ask("POST", f"/api/v1/budgets/{made.data['id']}/adjustments", {"kind": "top_up", **told})


def of_minting(world: World, fields: dict[str, Any]) -> Answer:
    told = {name.replace("limit", "budget"): value for name, value in fields.items()}
    bare = {name: value for name, value in MINT.items() if name != "budget_nano_usd"}
    answer = world.ask("POST", "/api/v1/keys/actions/mint", bare | told)
    return answer if answer.status != 201 else world.ask("GET", "/api/v1/budgets")


MAKERS = [of_budget, of_change, of_adjustment, of_minting]


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize(
    ("fields", "nano", "dollars"),
    [
        ({"limit_usd": "20.00"}, 20 * 10**9, "20.00"),
        ({"limit_usd": "0.000000001"}, 1, "0.000000001"),
        ({"limit_nano_usd": 18_400_000}, 18_400_000, "0.0184"),
    ],
)
def test_either_form_is_taken_and_both_are_told(maker: Any, fields: dict[str, Any], nano: int, dollars: str) -> None:
    data = maker(new_world(), fields).data
    shown = data[0] if isinstance(data, list) else data
    what = "amount" if "amount_usd" in shown else "limit"
    assert (shown[f"{what}_nano_usd"], shown[f"{what}_usd"]) == (nano, dollars)


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize(
    "fields",
    [
        {"limit_usd": "20.00", "limit_nano_usd": 20 * 10**9},
        {"limit_usd": 20},
        {"limit_usd": 20.5},
        {"limit_usd": "-1"},
        {"limit_usd": "1e3"},
        {"limit_usd": "0.0000000001"},
        {"limit_usd": f"{MOST_AMOUNT // 10**9 + 1}"},
    ],
)
def test_what_is_no_amount_or_two_of_them_is_refused(maker: Any, fields: dict[str, Any]) -> None:
    assert maker(new_world(), fields).status == 400


@pytest.mark.parametrize("maker", [of_budget, of_adjustment, of_minting])
def test_an_amount_must_be_said(maker: Any) -> None:
    assert maker(new_world(), {}).status == 400


def put(world: World, **price: object) -> Answer:
    body = {"provider": "sim", "upstream_model": "chat", "price": price}
    return world.ask("PUT", "/api/v1/models/mine", body)


def test_prices_are_dollars_for_a_million_tokens() -> None:
    """As providers write them: three decimals, which are whole nano-dollars a token."""
    price = put(new_world(), input_usd_per_million_tokens="0.15", output_nano_usd_per_token=600, per_request_usd="0.01")
    assert price.data["price"] == {
        "input_nano_usd_per_token": 150,
        "input_usd_per_million_tokens": "0.15",
        "output_nano_usd_per_token": 600,
        "output_usd_per_million_tokens": "0.60",
        "cached_input_nano_usd_per_token": None,
        "cached_input_usd_per_million_tokens": None,
        "per_request_nano_usd": 10_000_000,
        "per_request_usd": "0.01",
    }


@pytest.mark.parametrize(
    "price",
    [
        {"input_usd_per_million_tokens": "0.15"},
        {"input_usd_per_million_tokens": "0.0001", "output_nano_usd_per_token": 1},
        {"input_usd_per_million_tokens": "1", "input_nano_usd_per_token": 1000, "output_nano_usd_per_token": 1},
        {"input_usd_per_million_tokens": "1000000.001", "output_nano_usd_per_token": 1},
        {"input_nano_usd_per_token": 1, "output_nano_usd_per_token": 1, "per_request_usd": "1000.01"},
        {
            "input_nano_usd_per_token": 1,
            "output_nano_usd_per_token": 1,
            "per_request_usd": "1",
            "per_request_nano_usd": 1,
        },
    ],
)
def test_a_price_that_is_none(price: dict[str, object]) -> None:
    assert put(new_world(), **price).status == 400


def test_all_money_of_the_api_is_in_both_forms() -> None:
    """In each body and each answer: what people read is in dollars, and what programs add is a whole number."""
    missing = [
        f"{name}.{field}"
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for field in schema.get("properties", {})
        if (dollars := dollars_name(field)) is not None and dollars not in schema["properties"]
    ]
    assert missing == []
