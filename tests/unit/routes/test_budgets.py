"""`/api/v1/budgets`, from request to answer."""

from __future__ import annotations

from typing import Any

import pytest

from lib.admission.counters import Counter
from lib.kernel.errors import Unavailable
from lib.kernel.ids import is_id, new_id
from lib.kernel.money import with_dollars
from tests.unit.fakes import NOW
from tests.unit.world import Answer, World, new_world

BUDGETS = "/api/v1/budgets"
ORG = {"type": "org"}
BODY = {"scope": ORG, "window": "month", "limit_nano_usd": 1000}


def make(world: World, **fields: object) -> Any:
    answer = world.ask("POST", BUDGETS, {**BODY, **fields})
    assert answer.status == 201, answer.body
    return answer.data


def patch(world: World, budget_id: str, fields: object, tag: str | None = '"1"') -> Answer:
    return world.ask("PATCH", f"{BUDGETS}/{budget_id}", fields, headers={"if-match": tag} if tag else {})


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
        {"scope": None}, {"scope": {}}, {"scope": {"type": "planet"}}, {"scope": {**ORG, "x": 1}},
        {"scope": {"type": "model", "id": "a\n"}}, {"scope": {"type": "model", "id": "x" * 257}},
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
    world = new_world()
    assert world.ask("POST", BUDGETS, {**BODY, **fields}).status == 400
    assert world.ask("GET", BUDGETS).data == []
    assert world.gates.changes == []


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ({"type": "team", "id": "t"}, "no such team"),
        ({"type": "user", "id": new_id(NOW)}, "no such user"),
        ({"type": "org", "id": "*"}, "your own"),
        ({"type": "org", "id": new_id(NOW)}, "your own"),
        ({"type": "end_user"}, "Say whom"),
        ({"type": "key", "id": new_id(NOW)}, "no such key"),
        ({"type": "model", "id": "m", "model": "m"}, "as its id"),
        ({"type": "org", "model": "*"}, "names one model"),
    ],
    ids=str,
)
def test_a_scope_that_breaks_a_rule_is_refused(scope: object, said: str) -> None:
    """422, telling which; and nothing is made."""
    world = new_world()
    answer = world.ask("POST", BUDGETS, {**BODY, "scope": scope})
    assert answer.status == 422
    assert said in answer.error["message"]
    assert world.ask("GET", BUDGETS).data == []
    assert world.gates.changes == []


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


def test_conditions_guard_against_lost_updates() -> None:
    """A change says which version it changes; deleting may."""
    world = new_world()
    made = make(world)
    assert patch(world, made["id"], {"mode": "soft"}, None).status == 428
    assert patch(world, made["id"], {"mode": "soft"}, '"2"').status == 412
    assert patch(world, made["id"], {"mode": "soft"}).status == 200
    assert world.ask("DELETE", f"{BUDGETS}/{made['id']}", headers={"if-match": '"1"'}).status == 412
    assert world.ask("DELETE", f"{BUDGETS}/{made['id']}", headers={"if-match": '"2"'}).status == 204


def test_an_organisation_has_two_hundred_and_no_more() -> None:
    """422 for the next; one that goes makes room."""
    world = new_world()
    made = [make(world)["id"] for _ in range(200)]
    answer = world.ask("POST", BUDGETS, BODY)
    assert (answer.status, answer.error["message"]) == (422, "An organisation has at most 200 budgets.")
    world.ask("DELETE", f"{BUDGETS}/{made[0]}")
    make(world)


def test_a_list_has_pages() -> None:
    """Newest first, without gap or repetition."""
    world = new_world()
    made = sorted((make(world)["id"] for _ in range(5)), reverse=True)
    first = world.ask("GET", f"{BUDGETS}?limit=3").body
    second = world.ask("GET", f"{BUDGETS}?limit=3&cursor={first['meta']['next_cursor']}").body
    assert [row["id"] for row in first["data"] + second["data"]] == made
    assert second["meta"]["next_cursor"] is None


def test_a_budget_that_is_sent_again_is_made_once() -> None:
    """With an Idempotency-Key."""
    world = new_world()
    first, again = (world.ask("POST", BUDGETS, BODY, headers={"idempotency-key": "k"}) for _ in range(2))
    assert (first.status, again.status, again.data) == (201, 201, first.data)
    assert len(world.ask("GET", BUDGETS).data) == 1


def test_each_way_has_its_scope() -> None:
    """Reading does not allow writing, nor the other way round."""
    world = new_world()
    made = make(world)
    reader, writer = world.new_key("budgets:read").secret, world.new_key("budgets:write").secret
    assert world.ask("GET", BUDGETS, key=reader).status == 200
    assert world.ask("GET", f"{BUDGETS}/{made['id']}", key=reader).status == 200
    assert world.ask("POST", BUDGETS, BODY, key=reader).status == 403
    assert world.ask("DELETE", f"{BUDGETS}/{made['id']}", key=reader).status == 403
    assert world.ask("GET", BUDGETS, key=writer).status == 403
    assert world.ask("POST", BUDGETS, BODY, key=writer).status == 201
    assert world.ask("POST", BUDGETS, BODY, key=world.new_key("limits:write").secret).status == 403


@pytest.mark.parametrize("budget_id", ["x", "*", new_id(NOW), "%00", "..%2f"])
def test_a_budget_that_is_not_there_is_not_found(budget_id: str) -> None:
    """Whatever the path says."""
    world = new_world()
    assert world.ask("GET", f"{BUDGETS}/{budget_id}").status == 404
    assert patch(world, budget_id, {"mode": "soft"}).status == 404
    assert world.ask("DELETE", f"{BUDGETS}/{budget_id}").status == 404


def test_a_gate_that_is_away_is_told() -> None:
    """503: whoever asks again finds out."""
    world = new_world()
    made = make(world)
    world.gates.failure = Unavailable("away")
    assert world.ask("POST", BUDGETS, BODY).status == 503
    assert world.ask("GET", f"{BUDGETS}/{made['id']}").status == 503
    world.gates.failure = None
    assert len(world.ask("GET", BUDGETS).data) == 2
