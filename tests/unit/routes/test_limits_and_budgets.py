"""What `/api/v1/limits` and `/api/v1/budgets` have in common, from request to answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from lib.kernel.errors import Unavailable
from lib.kernel.ids import new_id
from tests.unit.fakes import NOW
from tests.unit.world import Answer, World, new_world


@dataclass(frozen=True)
class Rule:
    """A kind of rule: its name in the path, what makes one, and a change of it."""

    name: str
    body: dict[str, Any]
    change: dict[str, Any]

    @property
    def path(self) -> str:
        return f"/api/v1/{self.name}"

    def make(self, world: World, **fields: object) -> Any:
        answer = world.ask("POST", self.path, {**self.body, **fields})
        assert answer.status == 201, answer.body
        return answer.data

    def patch(self, world: World, rule_id: str, fields: object, tag: str | None = '"1"') -> Answer:
        return world.ask("PATCH", f"{self.path}/{rule_id}", fields, headers={"if-match": tag} if tag else {})


EACH_KEY, ORG = {"type": "key", "id": "*"}, {"type": "org"}
LIMIT = Rule("limits", {"scope": EACH_KEY, "unit": "requests", "limit": 10, "window_seconds": 60}, {"limit": 5})
BUDGET = Rule("budgets", {"scope": ORG, "window": "month", "limit_nano_usd": 1000}, {"mode": "soft"})
either = pytest.mark.parametrize("rule", [LIMIT, BUDGET], ids=lambda rule: rule.name)


@either
@pytest.mark.parametrize(
    ("scope", "shown"),
    [
        ({"type": "model", "id": "gpt-4o"}, ("model", "gpt-4o", None)),
        ({"type": "end_user", "id": "Zoë 😀", "model": "m"}, ("end_user", "Zoë 😀", "m")),
        ({"type": "end_user", "id": "*", "model": None}, ("end_user", "*", None)),
    ],
)
def test_it_is_of_whom_it_names(rule: Rule, scope: object, shown: object) -> None:
    """A model, an end user, each of them; perhaps with one model only."""
    made = rule.make(new_world(), scope=scope)["scope"]
    assert (made["type"], made["id"], made["model"]) == shown


@either
def test_the_organisation_need_not_be_named(rule: Rule) -> None:
    """But where it is, it is one's own."""
    world = new_world()
    for scope in (ORG, {"type": "org", "id": world.org_id}):
        assert rule.make(world, scope=scope)["scope"] == {"type": "org", "id": world.org_id, "model": None}


@either
def test_a_key_is_one_of_ones_own(rule: Rule) -> None:
    """Another organisation's key is as good as none."""
    world = new_world()
    key_id = world.key.principal.key_id
    assert rule.make(world, scope={"type": "key", "id": key_id})["scope"]["id"] == key_id
    foreign = new_world().key.principal.key_id
    for wrong in (foreign, new_id(NOW), "me", "*x"):
        answer = world.ask("POST", rule.path, {**rule.body, "scope": {"type": "key", "id": wrong}})
        assert (answer.status, answer.error["message"]) == (422, "There is no such key.")


@either
@pytest.mark.parametrize(
    "scope",
    [
        None, {}, "org", {"type": "planet", "id": "x"}, {**ORG, "x": 1}, {**EACH_KEY, "x": 1},
        {"type": "key", "id": ""}, {"type": "key", "id": 5}, {"type": "end_user", "id": "x" * 257},
        {"type": "end_user", "id": "a\0"}, {"type": "end_user", "id": "\ud800"}, {"type": "model", "id": "a\n"},
        {"type": "model", "id": "x" * 257}, {**EACH_KEY, "model": ""},
    ],
    ids=str,
)  # fmt: skip
def test_a_malformed_scope_is_refused(rule: Rule, scope: object) -> None:
    """400, and nothing is made."""
    assert_refused(rule, {"scope": scope}, 400)


@either
@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ({"type": "team", "id": "t"}, "no such team"),
        ({"type": "user", "id": new_id(NOW)}, "no such user"),
        ({"type": "org", "id": "*"}, "your own"),
        ({"type": "org", "id": new_id(NOW)}, "your own"),
        ({"type": "key"}, "Say whom"),
        ({"type": "end_user"}, "Say whom"),
        ({"type": "key", "id": new_id(NOW)}, "no such key"),
        ({"type": "model", "id": "m", "model": "m"}, "as its id"),
        ({**EACH_KEY, "model": "*"}, "names one model"),
        ({"type": "org", "model": "*"}, "names one model"),
    ],
    ids=str,
)
def test_a_scope_that_breaks_a_rule_is_refused(rule: Rule, scope: object, said: str) -> None:
    """422, telling which; and nothing is made."""
    assert said in assert_refused(rule, {"scope": scope}, 422).error["message"]


def assert_refused(rule: Rule, fields: dict[str, Any], status: int) -> Answer:
    """A body with these fields is refused, nothing is made and no gate told; return the refusal."""
    world = new_world()
    answer = world.ask("POST", rule.path, {**rule.body, **fields})
    assert answer.status == status
    assert world.ask("GET", rule.path).data == []
    assert world.gates.changes == []
    return answer


@either
def test_conditions_guard_against_lost_updates(rule: Rule) -> None:
    """A change says which version it changes; deleting may."""
    world = new_world()
    made = rule.make(world)
    for tag, status in ((None, 428), ('"2"', 412), ("nonsense", 400), ('"1"', 200)):
        assert rule.patch(world, made["id"], rule.change, tag).status == status
    assert world.ask("DELETE", f"{rule.path}/{made['id']}", headers={"if-match": '"1"'}).status == 412
    assert world.ask("DELETE", f"{rule.path}/{made['id']}", headers={"if-match": '"2"'}).status == 204


@either
def test_an_organisation_has_two_hundred_and_no_more(rule: Rule) -> None:
    """422 for the next; one that goes makes room."""
    world = new_world()
    made = [rule.make(world)["id"] for _ in range(200)]
    answer = world.ask("POST", rule.path, rule.body)
    assert (answer.status, answer.error["message"]) == (422, f"An organisation has at most 200 {rule.name}.")
    world.ask("DELETE", f"{rule.path}/{made[0]}")
    rule.make(world)


@either
def test_a_list_has_pages(rule: Rule) -> None:
    """Newest first, without gap or repetition."""
    world = new_world()
    made = sorted((rule.make(world)["id"] for _ in range(5)), reverse=True)
    first = world.ask("GET", f"{rule.path}?limit=3").body
    second = world.ask("GET", f"{rule.path}?limit=3&cursor={first['meta']['next_cursor']}").body
    assert [row["id"] for row in first["data"] + second["data"]] == made
    assert second["meta"]["next_cursor"] is None


@either
def test_what_is_sent_again_is_made_once(rule: Rule) -> None:
    """With an Idempotency-Key."""
    world = new_world()
    first, again = (world.ask("POST", rule.path, rule.body, headers={"idempotency-key": "k"}) for _ in range(2))
    assert (first.status, again.status, again.data) == (201, 201, first.data)
    assert len(world.ask("GET", rule.path).data) == 1


@pytest.mark.parametrize(("rule", "other"), [(LIMIT, BUDGET), (BUDGET, LIMIT)], ids=lambda rule: rule.name)
def test_each_way_has_its_permission(rule: Rule, other: Rule) -> None:
    """Reading does not allow writing, nor the other way round; nor does the other kind's."""
    world = new_world()
    made = rule.make(world)
    reader, writer = (world.new_key(f"{rule.name}:{what}").secret for what in ("read", "write"))
    assert world.ask("GET", rule.path, key=reader).status == 200
    assert world.ask("GET", f"{rule.path}/{made['id']}", key=reader).status == 200
    assert world.ask("POST", rule.path, rule.body, key=reader).status == 403
    assert world.ask("DELETE", f"{rule.path}/{made['id']}", key=reader).status == 403
    assert world.ask("GET", rule.path, key=writer).status == 403
    assert world.ask("POST", rule.path, rule.body, key=writer).status == 201
    assert world.ask("POST", rule.path, rule.body, key=world.new_key(f"{other.name}:write").secret).status == 403


@either
@pytest.mark.parametrize("rule_id", ["x", "*", new_id(NOW), "%00", "..%2f"])
def test_one_that_is_not_there_is_not_found(rule: Rule, rule_id: str) -> None:
    """Whatever the path says."""
    world = new_world()
    assert world.ask("GET", f"{rule.path}/{rule_id}").status == 404
    assert rule.patch(world, rule_id, rule.change).status == 404
    assert world.ask("DELETE", f"{rule.path}/{rule_id}").status == 404


@either
def test_a_gate_that_is_away_is_told(rule: Rule) -> None:
    """503: whoever asks again finds out."""
    world = new_world()
    made = rule.make(world)
    world.gates.failure = Unavailable("away")
    assert world.ask("POST", rule.path, rule.body).status == 503
    assert world.ask("GET", f"{rule.path}/{made['id']}").status == 503
    world.gates.failure = None
    assert len(world.ask("GET", rule.path).data) == 2
