"""`/api/v1/limits`, from request to answer."""

from __future__ import annotations

from typing import Any

import pytest

from lib.admission.counters import Counter
from lib.kernel.errors import Unavailable
from lib.kernel.ids import is_id, new_id
from tests.unit.fakes import NOW
from tests.unit.world import Answer, World, new_world

LIMITS = "/api/v1/limits"
EACH_KEY = {"type": "key", "id": "*"}
BODY = {"scope": EACH_KEY, "unit": "requests", "limit": 10, "window_seconds": 60}


def make(world: World, **fields: object) -> Any:
    answer = world.ask("POST", LIMITS, {**BODY, **fields})
    assert answer.status == 201, answer.body
    return answer.data


def patch(world: World, limit_id: str, fields: object, tag: str | None = '"1"') -> Answer:
    return world.ask("PATCH", f"{LIMITS}/{limit_id}", fields, headers={"if-match": tag} if tag else {})


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
    ("scope", "shown"),
    [
        ({"type": "model", "id": "gpt-4o"}, ("model", "gpt-4o", None)),
        ({"type": "end_user", "id": "Zoë 😀", "model": "m"}, ("end_user", "Zoë 😀", "m")),
        ({"type": "end_user", "id": "*", "model": None}, ("end_user", "*", None)),
    ],
)
def test_a_limit_is_of_whom_it_names(scope: object, shown: object) -> None:
    """A model, an end user, each of them; perhaps with one model only."""
    made = make(new_world(), scope=scope)
    assert (made["scope"]["type"], made["scope"]["id"], made["scope"]["model"]) == shown


def test_the_organisation_need_not_be_named() -> None:
    """But where it is, it is one's own."""
    world = new_world()
    for scope in ({"type": "org"}, {"type": "org", "id": world.org_id}):
        assert make(world, scope=scope)["scope"] == {"type": "org", "id": world.org_id, "model": None}


def test_a_key_is_one_of_ones_own() -> None:
    """Another organisation's key is as good as none."""
    world = new_world()
    key_id = world.key.principal.key_id
    assert make(world, scope={"type": "key", "id": key_id})["scope"]["id"] == key_id
    foreign = new_world().key.principal.key_id
    for wrong in (foreign, new_id(NOW), "me", "*x"):
        answer = world.ask("POST", LIMITS, {**BODY, "scope": {"type": "key", "id": wrong}})
        assert (answer.status, answer.error["message"]) == (422, "There is no such key.")


@pytest.mark.parametrize(
    "fields",
    [
        {"scope": None}, {"scope": {}}, {"scope": "org"}, {"scope": {"type": "planet", "id": "x"}},
        {"scope": {**EACH_KEY, "x": 1}}, {"scope": {"type": "key", "id": ""}}, {"scope": {"type": "key", "id": 5}},
        {"scope": {"type": "end_user", "id": "x" * 257}}, {"scope": {"type": "end_user", "id": "a\0"}},
        {"scope": {"type": "end_user", "id": "\ud800"}},
        {"scope": {**EACH_KEY, "model": ""}}, {"unit": "bytes"}, {"unit": None}, {"limit": 0}, {"limit": -1},
        {"limit": 1.5}, {"limit": "10"}, {"limit": True}, {"limit": None}, {"limit": 10**12 + 1}, {"limit": 10**30},
        {"window_seconds": 0}, {"window_seconds": 2_592_001}, {"window_seconds": "60"}, {"burst": 0}, {"burst": 1.5},
        {"burst": 10**13 + 1}, {"unknown": 1}, {"version": 1}, {"id": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_a_malformed_limit_is_refused(fields: dict[str, object]) -> None:
    """400, and nothing is made."""
    world = new_world()
    assert world.ask("POST", LIMITS, {**BODY, **fields}).status == 400
    assert world.ask("GET", LIMITS).data == []
    assert world.gates.changes == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"scope": {"type": "team", "id": "t"}}, "no such team"),
        ({"scope": {"type": "user", "id": new_id(NOW)}}, "no such user"),
        ({"scope": {"type": "org", "id": "*"}}, "your own"),
        ({"scope": {"type": "org", "id": new_id(NOW)}}, "your own"),
        ({"scope": {"type": "key"}}, "Say whom"),
        ({"scope": {"type": "model", "id": "m", "model": "m"}}, "as its id"),
        ({"scope": {**EACH_KEY, "model": "*"}}, "names one model"),
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
    world = new_world()
    answer = world.ask("POST", LIMITS, {**BODY, **fields})
    assert answer.status == 422
    assert said in answer.error["message"]
    assert world.ask("GET", LIMITS).data == []
    assert world.gates.changes == []


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


def test_conditions_guard_against_lost_updates() -> None:
    """A change says which version it changes; deleting may."""
    world = new_world()
    made = make(world)
    assert patch(world, made["id"], {"limit": 5}, None).status == 428
    assert patch(world, made["id"], {"limit": 5}, '"2"').status == 412
    assert patch(world, made["id"], {"limit": 5}, "nonsense").status == 400
    assert patch(world, made["id"], {"limit": 5}).status == 200
    assert world.ask("DELETE", f"{LIMITS}/{made['id']}", headers={"if-match": '"1"'}).status == 412
    assert world.ask("DELETE", f"{LIMITS}/{made['id']}", headers={"if-match": '"2"'}).status == 204


def test_an_organisation_has_two_hundred_and_no_more() -> None:
    """422 for the next; one that goes makes room."""
    world = new_world()
    made = [make(world)["id"] for _ in range(200)]
    answer = world.ask("POST", LIMITS, BODY)
    assert (answer.status, answer.error["message"]) == (422, "An organisation has at most 200 limits.")
    world.ask("DELETE", f"{LIMITS}/{made[0]}")
    make(world)


def test_a_list_has_pages() -> None:
    """Newest first, without gap or repetition."""
    world = new_world()
    made = sorted((make(world)["id"] for _ in range(5)), reverse=True)
    first = world.ask("GET", f"{LIMITS}?limit=3").body
    second = world.ask("GET", f"{LIMITS}?limit=3&cursor={first['meta']['next_cursor']}").body
    assert [row["id"] for row in first["data"] + second["data"]] == made
    assert second["meta"]["next_cursor"] is None


def test_a_limit_that_is_sent_again_is_made_once() -> None:
    """With an Idempotency-Key."""
    world = new_world()
    first, again = (world.ask("POST", LIMITS, BODY, headers={"idempotency-key": "k"}) for _ in range(2))
    assert (first.status, again.status, again.data) == (201, 201, first.data)
    assert len(world.ask("GET", LIMITS).data) == 1


def test_each_way_has_its_scope() -> None:
    """Reading does not allow writing, nor the other way round."""
    world = new_world()
    made = make(world)
    reader, writer = world.new_key("limits:read").secret, world.new_key("limits:write").secret
    assert world.ask("GET", LIMITS, key=reader).status == 200
    assert world.ask("GET", f"{LIMITS}/{made['id']}", key=reader).status == 200
    assert world.ask("POST", LIMITS, BODY, key=reader).status == 403
    assert world.ask("DELETE", f"{LIMITS}/{made['id']}", key=reader).status == 403
    assert world.ask("GET", LIMITS, key=writer).status == 403
    assert world.ask("POST", LIMITS, BODY, key=writer).status == 201
    assert world.ask("POST", LIMITS, BODY, key=world.new_key("budgets:write").secret).status == 403


@pytest.mark.parametrize("limit_id", ["x", "*", new_id(NOW), "%00", "..%2f"])
def test_a_limit_that_is_not_there_is_not_found(limit_id: str) -> None:
    """Whatever the path says."""
    world = new_world()
    assert world.ask("GET", f"{LIMITS}/{limit_id}").status == 404
    assert patch(world, limit_id, {"limit": 5}).status == 404
    assert world.ask("DELETE", f"{LIMITS}/{limit_id}").status == 404


def test_a_gate_that_is_away_is_told() -> None:
    """503: whoever asks again finds out."""
    world = new_world()
    made = make(world)
    world.gates.failure = Unavailable("away")
    assert world.ask("POST", LIMITS, BODY).status == 503
    assert world.ask("GET", f"{LIMITS}/{made['id']}").status == 503
    world.gates.failure = None
    assert len(world.ask("GET", LIMITS).data) == 2
