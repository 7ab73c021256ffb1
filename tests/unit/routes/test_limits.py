"""`/api/v1/limits`, from request to answer."""

from __future__ import annotations

import pytest

from lib.admission.counters import Counter
from lib.kernel.ids import is_id
from tests.unit.routes.test_limits_and_budgets import EACH_KEY, LIMIT, assert_refused
from tests.unit.world import new_world

LIMITS, BODY, make, patch = LIMIT.path, LIMIT.body, LIMIT.make, LIMIT.patch


def test_a_limit_is_made_read_changed_and_deleted() -> None:
    """201 with its place, and the gate is told of each change."""
    world = new_world()
    answer = world.ask("POST", LIMITS, {**BODY, "burst": 100})
    made = answer.data
    assert (answer.status, answer.headers["location"], answer.headers["etag"]) == (201, f"{LIMITS}/{made['id']}", '"1"')
    assert is_id(made["id"])
    assert made == {
        "id": made["id"],
        "name": None,
        "scope": {"type": "key", "id": "*", "model": None},
        "covers": None,
        "unit": "requests",
        "limit": 10,
        "window_seconds": 60,
        "burst": 100,
        "used": None,
        "remaining": None,
        "created_at": "2026-05-04T12:30:15.123456Z",
        "updated_at": "2026-05-04T12:30:15.123456Z",
    }
    read = world.ask("GET", f"{LIMITS}/{made['id']}")
    assert (read.status, read.data, read.headers["etag"]) == (200, made, '"1"')
    assert world.ask("GET", LIMITS).data == [made]
    world.clock.advance(seconds=1)
    changed = patch(world, made["id"], {"name": "Ann's", "limit": 20, "window_seconds": 5})
    assert (changed.status, changed.headers["etag"]) == (200, '"2"')
    new = {"name": "Ann's", "limit": 20, "window_seconds": 5, "updated_at": "2026-05-04T12:30:16.123456Z"}
    assert changed.data == {**made, **new}
    assert world.ask("GET", f"{LIMITS}/{made['id']}").data == changed.data
    assert world.ask("DELETE", f"{LIMITS}/{made['id']}").status == 204
    assert world.ask("GET", f"{LIMITS}/{made['id']}").status == 404
    assert world.ask("DELETE", f"{LIMITS}/{made['id']}").status == 404
    assert world.gates.changes == [world.org_id] * 3


@pytest.mark.parametrize(
    "fields",
    [
        {"unit": "bytes"}, {"unit": None}, {"limit": 0}, {"limit": -1},
        {"limit": 1.5}, {"limit": "10"}, {"limit": True}, {"limit": None}, {"limit": 10**12 + 1}, {"limit": 10**30},
        {"window_seconds": 0}, {"window_seconds": 2_592_001}, {"window_seconds": "60"}, {"burst": 0}, {"burst": 1.5},
        {"burst": 10**13 + 1}, {"unknown": 1}, {"version": 1}, {"id": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_a_malformed_limit_is_refused(fields: dict[str, object]) -> None:
    """400, and nothing is made."""
    assert_refused(LIMIT, fields, 400)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"window_seconds": None}, "needs a window"),
        ({"unit": "tokens", "window_seconds": None}, "needs a window"),
        ({"unit": "concurrent"}, "no window"),
        ({"unit": "concurrent", "window_seconds": None, "burst": 5}, "no burst"),
        ({"burst": 101}, "at most 10 times"),
    ],
    ids=str,
)
def test_a_limit_that_breaks_a_rule_is_refused(fields: dict[str, object], said: str) -> None:
    """422, telling which; and nothing is made."""
    assert said in assert_refused(LIMIT, fields, 422).error["message"]


def test_how_far_it_is_used_up_is_the_gates_to_tell() -> None:
    """What is held counts as used; with a burst, that is what may come at once. Nothing is left below nought."""
    world = new_world()
    org = {"type": "org"}
    plain, bursting, over, unknown, each = (
        make(world, scope=org),
        make(world, scope=org, burst=50),
        make(world, scope=org, unit="concurrent", window_seconds=None),
        make(world, scope=org),
        make(world),
    )
    world.gates.counted = {
        plain["id"]: Counter(3, 4, None),
        bursting["id"]: Counter(3, 4, None),
        over["id"]: Counter(0, 11, None),
        each["id"]: Counter(1, 1, None),
    }
    expected: dict[str, tuple[int | None, int | None]] = {
        plain["id"]: (7, 3),
        bursting["id"]: (7, 43),
        over["id"]: (11, 0),
        unknown["id"]: (0, 10),
        each["id"]: (None, None),
    }
    assert {row["id"]: (row["used"], row["remaining"]) for row in world.ask("GET", LIMITS).data} == expected
    for limit_id, told in expected.items():
        shown = world.ask("GET", f"{LIMITS}/{limit_id}").data
        assert (shown["used"], shown["remaining"]) == told


def test_what_is_not_named_stays() -> None:
    """And a burst is taken away by null."""
    world = new_world()
    made = make(world, burst=20)
    assert patch(world, made["id"], {}, '"1"').data["burst"] == 20
    assert patch(world, made["id"], {"limit": 11}, '"2"').data["burst"] == 20
    changed = patch(world, made["id"], {"burst": None}, '"3"').data
    assert (changed["limit"], changed["window_seconds"], changed["burst"]) == (11, 60, None)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"scope": EACH_KEY}, 400), ({"unit": "tokens"}, 400), ({"limit": 0}, 400), ({"window_seconds": 0}, 400),
        ({"burst": 101}, 422), ({"limit": 1}, 422),
    ],
    ids=str,
)  # fmt: skip
def test_a_change_keeps_to_the_rules(fields: dict[str, object], status: int) -> None:
    """Its scope and unit are for life; the numbers fit each other also when only one of them changes."""
    world = new_world()
    made = make(world, burst=20)
    assert patch(world, made["id"], fields).status == status
    assert world.ask("GET", f"{LIMITS}/{made['id']}").data == made


def test_a_limit_on_concurrent_requests_gets_no_window_later() -> None:
    """Nor a burst."""
    world = new_world()
    made = make(world, unit="concurrent", window_seconds=None)
    assert patch(world, made["id"], {"window_seconds": 5}).status == 422
    assert patch(world, made["id"], {"burst": 5}).status == 422
    assert patch(world, made["id"], {"limit": 5}).data["limit"] == 5
