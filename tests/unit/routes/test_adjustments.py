"""`/api/v1/budgets/{id}/adjustments`, from request to answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lib.admission.counters import Counter
from lib.admission.rule_store import ADJUSTMENTS
from lib.kernel.ids import new_id
from tests.unit.fakes import NOW
from tests.unit.world import World, new_world

TOP_UP = {"kind": "top_up", "amount_nano_usd": 500}
OVERRIDE = {"kind": "override", "amount_nano_usd": 70}
LATER = "2026-05-04T13:00:00Z"


def budget(world: World, window: str = "total") -> str:
    """A budget of 1000; return its path."""
    answer = world.ask("POST", "/api/v1/budgets", {"scope": {"type": "org"}, "window": window, "limit_nano_usd": 1000})
    assert answer.status == 201, answer.body
    return f"/api/v1/budgets/{answer.data['id']}"


def adjust(world: World, place: str, fields: dict[str, object]) -> Any:
    answer = world.ask("POST", f"{place}/adjustments", fields)
    assert answer.status == 201, answer.body
    return answer.data


def amounts(world: World, place: str) -> tuple[int, int, int]:
    shown = world.ask("GET", place).data
    [listed] = [entry for entry in world.ask("GET", "/api/v1/budgets").data if entry["id"] == shown["id"]]
    names = ("limit_nano_usd", "effective_limit_nano_usd", "remaining_nano_usd")
    assert [listed[name] for name in names] == [shown[name] for name in names]
    return tuple(shown[name] for name in names)


def test_an_adjustment_is_made_read_and_deleted() -> None:
    """201 with its place, and the gate is told of each change; the budget shows what it comes to."""
    world = new_world()
    place = budget(world)
    answer = world.ask("POST", f"{place}/adjustments", {**TOP_UP, "note": " a fair ", "expires_at": LATER})
    made = answer.data
    assert (answer.status, answer.headers["location"]) == (201, f"{place}/adjustments/{made['id']}")
    assert made == {
        "id": made["id"],
        "budget_id": place.rpartition("/")[2],
        "kind": "top_up",
        "amount_nano_usd": 500,
        "amount_usd": "0.0000005",
        "note": "a fair",
        "expires_at": LATER,
        "created_at": "2026-05-04T12:30:15.123456Z",
    }
    assert world.ask("GET", answer.headers["location"]).data == made
    assert world.ask("GET", f"{place}/adjustments").data == [made]
    assert amounts(world, place) == (1000, 1500, 1500)
    world.clock.advance(seconds=1)
    override = adjust(world, place, OVERRIDE)
    assert override["expires_at"] is None
    assert world.ask("GET", f"{place}/adjustments").data == [override, made]
    assert amounts(world, place) == (1000, 570, 570)
    assert world.ask("DELETE", answer.headers["location"]).status == 204
    assert amounts(world, place) == (1000, 70, 70)
    for method in ("GET", "DELETE"):
        assert world.ask(method, answer.headers["location"]).status == 404
    assert world.gates.changes == [world.org_id] * 4


def test_what_is_left_is_of_what_holds() -> None:
    """And never less than nothing, when more than that is spent."""
    world = new_world()
    place = budget(world)
    world.gates.counted = {place.rpartition("/")[2]: Counter(100, 20, None)}
    adjust(world, place, TOP_UP)
    assert amounts(world, place) == (1000, 1500, 1380)
    adjust(world, place, {**OVERRIDE, "amount_nano_usd": 0, "expires_at": LATER})
    assert amounts(world, place) == (1000, 500, 380)
    world.clock.advance(seconds=3600)
    assert amounts(world, place) == (1000, 1500, 1380)


@pytest.mark.parametrize(
    ("window", "zone", "ends"),
    [
        ("day", "UTC", "2026-05-05T00:00:00Z"),
        ("day", "Asia/Tokyo", "2026-05-04T15:00:00Z"),
        ("week", "UTC", "2026-05-11T00:00:00Z"),
        ("month", "America/New_York", "2026-06-01T04:00:00Z"),
        ("total", "UTC", None),
        ("rolling:60", "UTC", None),
    ],
)
def test_a_top_up_without_an_end_ends_with_the_window(window: str, zone: str, ends: str | None) -> None:
    """In the organisation's time zone. Where there is no such end, it holds until it is deleted; an override always."""
    world = new_world()
    place = budget(world, window)
    own = "/api/v1/orgs/current"
    assert world.ask("PATCH", own, {"time_zone": zone}, headers={"if-match": "*"}).status == 200
    assert adjust(world, place, TOP_UP)["expires_at"] == ends
    assert adjust(world, place, OVERRIDE)["expires_at"] is None


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"kind": "gift"}, 400), ({"kind": None}, 400), ({"amount_nano_usd": -1}, 400), ({"amount_nano_usd": 1.5}, 400),
        ({"amount_nano_usd": 2**53 + 1}, 400), ({"note": ""}, 400), ({"note": "x" * 201}, 400), ({"note": "a\nb"}, 400),
        ({"expires_at": "2027-01-01T00:00:00"}, 400), ({"expires_at": "soon"}, 400), ({"unknown": 1}, 400),
        ({"expires_at": "2026-05-04T12:30:15.123456Z"}, 422), ({"amount_nano_usd": 0}, 422),
    ],
    ids=str,
)  # fmt: skip
def test_what_makes_no_sense_is_refused(fields: dict[str, object], status: int) -> None:
    """And nothing is made."""
    world = new_world()
    place = budget(world)
    assert world.ask("POST", f"{place}/adjustments", {**TOP_UP, **fields}).status == status
    assert world.ask("GET", f"{place}/adjustments").data == []


def test_pages_and_the_most_there_may_be() -> None:
    """Newest first; the one too many is refused, until one has expired."""
    world = new_world()
    place = budget(world)
    made = [adjust(world, place, {**TOP_UP, "expires_at": LATER})["id"] for _ in range(ADJUSTMENTS.most)]
    assert world.ask("POST", f"{place}/adjustments", TOP_UP).status == 422
    first = world.ask("GET", f"{place}/adjustments?limit=40")
    second = world.ask("GET", f"{place}/adjustments?cursor={first.body['meta']['next_cursor']}")
    assert [row["id"] for row in first.data + second.data] == sorted(made, reverse=True)
    world.clock.advance(seconds=3600)
    assert world.ask("GET", f"{place}/adjustments/{made[0]}").status == 404
    adjust(world, place, TOP_UP)
    assert len(world.ask("GET", f"{place}/adjustments").data) == 1


def test_there_are_none_of_a_budget_that_is_not_there() -> None:
    """404, by whatever way one asks."""
    world = new_world()
    made = adjust(world, budget(world), TOP_UP)
    for budget_id in ("x", new_id(NOW + timedelta(days=1))):
        place = f"/api/v1/budgets/{budget_id}/adjustments"
        assert world.ask("POST", place, TOP_UP).status == 404
        assert world.ask("GET", place).status == 404
        for method in ("GET", "DELETE"):
            assert world.ask(method, f"{place}/{made['id']}").status == 404
