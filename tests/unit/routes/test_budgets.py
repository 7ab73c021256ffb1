"""`/api/v1/budgets`, from request to answer."""

from __future__ import annotations

import pytest

from lib.admission.counters import Counter
from lib.kernel.ids import is_id
from lib.kernel.money import with_dollars
from tests.unit.routes.test_limits_and_budgets import BUDGET, ORG, assert_refused
from tests.unit.world import new_world

BUDGETS, BODY, make, patch = BUDGET.path, BUDGET.body, BUDGET.make, BUDGET.patch


def test_a_budget_is_made_read_changed_and_deleted() -> None:
    """201 with its place, and the gate is told of each change. Hard, where nothing is said."""
    world = new_world()
    answer = world.ask("POST", BUDGETS, {**BODY, "name": "Ours"})
    made = answer.data
    place = f"{BUDGETS}/{made['id']}"
    assert (answer.status, answer.headers["location"], answer.headers["etag"]) == (201, place, '"1"')
    assert is_id(made["id"])
    assert made == with_dollars(
        {
            "id": made["id"],
            "name": "Ours",
            "scope": {"type": "org", "id": world.org_id, "model": None},
            "covers": None,
            "window": "month",
            "limit_nano_usd": 1000,
            "effective_limit_nano_usd": 1000,
            "mode": "hard",
            "spent_nano_usd": 0,
            "reserved_nano_usd": 0,
            "remaining_nano_usd": 1000,
            "resets_at": None,
            "created_at": "2026-05-04T12:30:15.123456Z",
            "updated_at": "2026-05-04T12:30:15.123456Z",
        }
    )
    read = world.ask("GET", place)
    assert (read.status, read.data, read.headers["etag"]) == (200, made, '"1"')
    assert world.ask("GET", BUDGETS).data == [made]
    world.clock.advance(seconds=1)
    changed = patch(world, made["id"], {"name": None, "limit_nano_usd": 0, "mode": "soft"})
    assert (changed.status, changed.headers["etag"]) == (200, '"2"')
    new = {"limit_nano_usd": 0, "effective_limit_nano_usd": 0, "remaining_nano_usd": 0}
    other = {"name": None, "mode": "soft", "updated_at": "2026-05-04T12:30:16.123456Z"}
    assert changed.data == {**made, **with_dollars(new), **other}
    assert world.ask("GET", place).data == changed.data
    assert world.ask("DELETE", place).status == 204
    assert world.ask("GET", place).status == 404
    assert world.ask("DELETE", place).status == 404
    assert world.gates.changes == [world.org_id] * 3


@pytest.mark.parametrize("window", ["total", "day", "week", "month", "rolling:60", "rolling:3600", "rolling:31536000"])
def test_every_window_can_be_had(window: str) -> None:
    """As it was sent."""
    assert make(new_world(), window=window)["window"] == window


@pytest.mark.parametrize("amount", [0, 1, 2**53])
def test_an_amount_is_exact(amount: int) -> None:
    """Up to what a JavaScript number holds; nought is an amount too."""
    world = new_world()
    made = make(world, limit_nano_usd=amount)
    assert world.ask("GET", f"{BUDGETS}/{made['id']}").data["limit_nano_usd"] == amount


@pytest.mark.parametrize(
    "fields",
    [
        {"window": None}, {"window": "year"}, {"window": "Day"}, {"window": "rolling"}, {"window": "rolling:"},
        {"window": "rolling:59"}, {"window": "rolling:31536001"}, {"window": "rolling:060"}, {"window": "rolling:6e3"},
        {"window": "rolling:-60"}, {"window": "rolling:٣٠٠"}, {"window": "rolling:60\n"}, {"window": "day:60"},
        {"window": "rolling:" + "9" * 5000}, {"window": 60}, {"limit_nano_usd": -1}, {"limit_nano_usd": 2**53 + 1},
        {"limit_nano_usd": 1.5}, {"limit_nano_usd": "5"}, {"limit_nano_usd": None}, {"limit_nano_usd": True},
        {"mode": "medium"}, {"mode": None}, {"unknown": 1}, {"spent_nano_usd": 0},
    ],
    ids=lambda fields: str(fields)[:60],
)  # fmt: skip
def test_a_malformed_budget_is_refused(fields: dict[str, object]) -> None:
    """400, and nothing is made."""
    assert_refused(BUDGET, fields, 400)


def test_what_is_spent_is_the_gates_to_tell() -> None:
    """What is held is not left to spend, and nothing is left below nought. A budget of each has no one number."""
    world = new_world()
    month, over, each = make(world), make(world), make(world, scope={"type": "key", "id": "*"})
    ends_ms = 1_780_272_000_000
    world.gates.counted = {
        month["id"]: Counter(300, 200, ends_ms),
        over["id"]: Counter(900, 200, None),
        each["id"]: Counter(1, 1, ends_ms),
    }
    expected = {
        month["id"]: (300, 200, 500, "2026-06-01T00:00:00Z"),
        over["id"]: (900, 200, 0, None),
        each["id"]: (None, None, None, None),
    }
    names = ("spent_nano_usd", "reserved_nano_usd", "remaining_nano_usd", "resets_at")
    assert {row["id"]: tuple(row[name] for name in names) for row in world.ask("GET", BUDGETS).data} == expected
    for budget_id, told in expected.items():
        shown = world.ask("GET", f"{BUDGETS}/{budget_id}").data
        assert tuple(shown[name] for name in names) == told


def test_what_is_not_named_stays() -> None:
    """Each of the two alone."""
    world = new_world()
    made = make(world)
    assert patch(world, made["id"], {"mode": "soft"}, '"1"').data["limit_nano_usd"] == 1000
    changed = patch(world, made["id"], {"limit_nano_usd": 7}, '"2"').data
    assert (changed["limit_nano_usd"], changed["mode"]) == (7, "soft")


@pytest.mark.parametrize(
    "fields", [{"scope": ORG}, {"window": "day"}, {"limit_nano_usd": -1}, {"mode": "x"}, {"x": 1}], ids=str
)
def test_a_malformed_change_is_refused(fields: dict[str, object]) -> None:
    """Its scope and window are for life."""
    world = new_world()
    made = make(world)
    assert patch(world, made["id"], fields).status == 400
    assert world.ask("GET", f"{BUDGETS}/{made['id']}").data == made
