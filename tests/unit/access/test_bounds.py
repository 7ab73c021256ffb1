"""Keys that are bound to models, addresses, teams: where they work, and what they can make."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lib.access.bounds import Bounds, allowed_origin, require_within
from lib.access.principal import Principal
from lib.kernel.errors import Forbidden, UnprocessableEntity
from lib.kernel.ids import new_id
from lib.keys import key_rules, key_service
from tests.unit.fakes import NOW, run
from tests.unit.sign_in.bound_keys import HOME, PAGE, chat, minted, new_key, new_team
from tests.unit.store.seeds import seed_person
from tests.unit.world import World, cold, new_world

ALL = ["keys:write", "keys:read", "chat:write", "models:read", "embeddings:write"]


def test_a_key_calls_the_models_that_it_is_bound_to_and_knows_of_no_others() -> None:
    """Another model is not found, as one that does not exist; lists leave it out."""
    world = new_world()
    key = new_key(world, models=["sim/chat"])
    assert key["models"] == ["sim/chat"]
    assert chat(world, key["secret"]).status == 200
    unknown = chat(world, world.key.secret, "nowhere/chat")
    for model in ("sim/other", "sim/CHAT", "nowhere/chat"):
        refused = chat(world, key["secret"], model)
        assert (refused.status, refused.error["code"], refused.error["param"]) == (404, "model_not_found", "model")
        told, _, hint = refused.error["message"].partition(" Did you mean ")
        assert told == unknown.error["message"].partition(" Did you mean ")[0]
        assert hint in ("", "sim/chat?")
    listed = world.ask("GET", "/v1/models", key=key["secret"]).body["data"]
    everything = world.ask("GET", "/v1/models").body["data"]
    assert [model["id"] for model in listed] == ["sim/chat"]
    assert len(everything) > 1
    assert world.ask("GET", "/v1/models/sim/chat", key=key["secret"]).status == 200
    assert world.ask("GET", "/v1/models/sim/other", key=key["secret"]).status == 404
    assert world.ask("GET", "/v1/models/sim/other").status == 200


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("203.0.113.7", 200),
        ("::ffff:203.0.113.7", 200),
        ("2001:db8::9", 200),
        ("203.0.114.7", 403),
        ("x", 403),
        ("", 403),
    ],
)
def test_a_key_works_from_its_ip_ranges_alone(address: str, status: int) -> None:
    """On every route; where nobody knows the address, it does not work."""
    world = new_world()
    key = new_key(world, ip_ranges=["203.0.113.0/24", "2001:DB8::/32"], scopes=ALL)
    assert key["ip_ranges"] == ["2001:db8::/32", "203.0.113.0/24"]
    for method, path, body in (
        ("GET", "/v1/models", None),
        ("GET", "/api/v1/keys", None),
        ("POST", "/v1/embeddings", {"model": "sim/embed", "input": "x"}),
    ):
        headers = {"cf-connecting-ip": address} if address else {}
        answer = world.ask(method, path, body, key=key["secret"], headers=headers)
        assert answer.status == status
        if status == 403:
            assert answer.error["code"] == "ip_not_allowed"


def test_what_a_key_is_bound_to_may_change_and_holds_at_once() -> None:
    """Also where another isolate has the key as it was: it asks the gate before it refuses, and before it lets in."""
    world = new_world()
    key = new_key(world, ip_ranges=["198.51.100.0/24"], models=["sim/chat"])
    path, secret = f"/api/v1/keys/{key['id']}", key["secret"]
    assert chat(world, secret).status == 403
    elsewhere = world.parts.callers  # which has the key as it was
    cold(world)
    changed = world.ask("PATCH", path, {"ip_ranges": ["203.0.113.0/24"], "models": None}, headers={"if-match": "*"})
    assert (changed.data["ip_ranges"], changed.data["models"]) == (["203.0.113.0/24"], None)
    world.parts = replace(world.parts, callers=elsewhere)
    world.gates._callers = elsewhere
    assert chat(world, secret, "sim/other").status == 200
    narrowed = world.ask("PATCH", path, {"models": ["sim/chat"]}, headers={"if-match": "*"})
    assert narrowed.data["ip_ranges"] == ["203.0.113.0/24"]
    assert chat(world, secret, "sim/other").status == 404


def test_a_bound_key_makes_none_that_is_wider() -> None:
    """Where nothing is said, its own bounds hold; and it manages no wider key."""
    world = new_world()
    bounds: dict[str, Any] = {"models": ["a", "b"], "ip_ranges": ["203.0.113.0/24"]}
    maker = new_key(world, scopes=ALL, **bounds)
    made = new_key(world, maker["secret"], HOME)
    assert (made["models"], made["ip_ranges"]) == (["a", "b"], ["203.0.113.0/24"])
    new_key(world, maker["secret"], HOME, models=["a"], ip_ranges=["203.0.113.128/25", "203.0.113.7"])
    for fields in ({"models": ["a", "c"]}, {"ip_ranges": ["203.0.0.0/16"]}, {"ip_ranges": ["203.0.113.7", "::1"]}):
        answer = world.ask("POST", "/api/v1/keys", {"name": "k", **fields}, key=maker["secret"], headers=HOME)
        assert answer.status == 403
    wide = new_key(world)
    for method, path, body in (
        ("PATCH", f"/api/v1/keys/{made['id']}", {"models": None}),
        ("PATCH", f"/api/v1/keys/{wide['id']}", {"name": "mine"}),
        ("POST", f"/api/v1/keys/{wide['id']}/actions/rotate", {}),
        ("DELETE", f"/api/v1/keys/{wide['id']}", None),
    ):
        answer = world.ask(method, path, body, key=maker["secret"], headers=HOME | {"if-match": "*"})
        assert answer.status == 403, path


def test_a_rotated_key_is_bound_as_it_was() -> None:
    """Its successor is the same key with another secret."""
    world = new_world()
    team = new_team(world)
    key = new_key(world, models=["sim/chat"], ip_ranges=["203.0.113.0/24"], team_id=team)
    new = world.ask("POST", f"/api/v1/keys/{key['id']}/actions/rotate", {}).data
    for name in ("kind", "models", "ip_ranges", "origins", "end_user", "user_id", "team_id", "scopes"):
        assert new[name] == key[name]
    assert chat(world, new["secret"], "sim/other").status == 404


@pytest.mark.parametrize(
    "fields",
    [
        *({"models": wrong} for wrong in ([], [""], ["x" * 257], ["a\n"], "sim/chat", [7], ["m"] * 101)),
        *({"ip_ranges": wrong} for wrong in ([], [""], ["10.0.0.1/8"], ["nowhere"], ["10.0.0.0/8"] * 51, "10.0.0.0/8")),
        {"team_id": "x" * 37}, {"user_id": new_id(NOW)}, {"origins": [PAGE]}, {"kind": "browser"},
    ],
    ids=str,
)  # fmt: skip
def test_what_a_key_cannot_be_bound_to(fields: dict[str, Any]) -> None:
    """Wrong forms are a 400; whose a key is, its maker can't choose."""
    assert new_world().ask("POST", "/api/v1/keys", {"name": "k", **fields}).status == 400


def test_calls_count_for_the_team_and_the_person_of_their_key() -> None:
    """On its limits and budgets, and in its ledger; and a rule for each of them counts each by itself."""
    world = new_world()
    team, other = new_team(world), new_team(world)
    for scope in ({"type": "team", "id": team}, {"type": "user", "id": "*"}):
        rule = {"scope": scope, "unit": "requests", "limit": 2, "window_seconds": 3600}
        assert world.ask("POST", "/api/v1/limits", rule).status == 201
    key, spare = new_key(world, team_id=team)["secret"], new_key(world, team_id=other)["secret"]
    assert [chat(world, key).status for _ in range(3)] == [200, 200, 429]
    assert [chat(world, spare).status for _ in range(3)] == [200, 200, 200]
    assert {record.team_id for record in world.gates.settled} == {team, other}
    person = replace(world.key.principal, user_id=run(seed_user(world)))
    _, own = run(key_service.create(world.parts, person, "mine", ["chat:write"], None))
    assert [chat(world, own).status for _ in range(3)] == [200, 200, 429]
    assert world.gates.settled[-1].user_id == person.user_id


async def seed_user(world: World) -> str:
    return (await seed_person(world.parts.database, world.org_id)).id


def test_a_key_of_a_team_makes_keys_of_that_team_alone() -> None:
    """Else it would get away from the team's budget."""
    world = new_world()
    team, other = new_team(world), new_team(world)
    maker = new_key(world, team_id=team, scopes=ALL)
    assert new_key(world, maker["secret"])["team_id"] == team
    refused = world.ask("POST", "/api/v1/keys", {"name": "k", "team_id": other}, key=maker["secret"])
    assert refused.status == 403
    foreign = new_key(world, team_id=other)
    assert world.ask("DELETE", f"/api/v1/keys/{foreign['id']}", key=maker["secret"]).status == 403
    for wrong in (new_id(NOW), "x"):
        assert world.ask("POST", "/api/v1/keys", {"name": "k", "team_id": wrong}).status == 422


def test_a_member_makes_keys_for_its_own_teams() -> None:
    """Whoever answers for all of them may do so for any."""
    world = new_world()
    user = run(seed_user(world))
    mine, other = new_team(world, user), new_team(world)
    developer = replace(world.key.principal, user_id=user, role="developer")
    assert run(key_rules.team_for(world.parts, developer, mine)) == mine
    with pytest.raises(Forbidden):
        run(key_rules.team_for(world.parts, developer, other))
    assert run(key_rules.team_for(world.parts, replace(developer, role="admin"), other)) == other
    with pytest.raises(UnprocessableEntity):
        run(key_rules.team_for(world.parts, replace(developer, role="admin"), new_id(NOW)))


def test_who_is_bound_to_origins_gives_no_others() -> None:
    """No key that may manage keys is bound to origins today; the rule holds all the same."""
    maker = Principal("o", "k", frozenset(), None, origins=frozenset({PAGE}))
    require_within(maker, Bounds(origins=frozenset({PAGE})))
    for origins in (None, frozenset({PAGE, "https://evil.example"})):
        with pytest.raises(Forbidden):
            require_within(maker, Bounds(origins=origins))
    assert allowed_origin(maker, PAGE) == PAGE
    assert allowed_origin(maker, "https://evil.example") is None
    assert allowed_origin(replace(maker, origins=None), PAGE) is None


def test_a_key_bound_to_models_says_of_none_what_it_leads_to() -> None:
    """Else it points its name at a dearer model, or at a cheaper price. Other keys may."""
    world = new_world()
    scopes = ["models:write", "models:read", "chat:write"]
    bound, free = (new_key(world, scopes=scopes, models=names) for names in (["fast", "sim/chat"], None))
    route = {"provider": "sim", "upstream_model": "chat"}
    assert world.ask("PUT", "/api/v1/models/fast", route, key=free["secret"]).status == 201
    for name in ("fast", "sim/chat", "other"):
        assert world.ask("PUT", f"/api/v1/models/{name}", route, key=bound["secret"]).status == 403
        assert world.ask("DELETE", f"/api/v1/models/{name}", key=bound["secret"]).status == 403
    assert chat(world, bound["secret"], "fast").status == 200


@pytest.mark.parametrize("kind", ["limits", "budgets"])
@pytest.mark.parametrize("field", ["user", "safety_identifier"])
def test_an_end_user_that_is_no_text_is_refused_where_it_would_count(kind: str, field: str) -> None:
    """Else a number in place of the name gets away from every rule for end users. Without one, all is passed on."""
    world = new_world()
    more: dict[str, Any] = {"unit": "requests", "limit": 99, "window_seconds": 60}
    if kind == "budgets":
        more = {"window": "total", "limit_nano_usd": 10**12}
    said: dict[str, Any] = {}
    for scope, status in (({"type": "org"}, 200), ({"type": "end_user", "id": "ann", "model": "sim/chat"}, 400)):
        assert world.ask("POST", f"/api/v1/{kind}", {"scope": scope, **more}).status == 201
        for wrong in (5, True, ["ann"], {"name": "ann"}):
            said = {field: wrong, "max_tokens": 5}
            answer = chat(world, "", **said)
            assert answer.status == status
            assert status == 200 or answer.error["code"] == "invalid_end_user"
        for right in ("ann", "", None):
            assert chat(world, "", **said | {field: right}).status == 200
    assert chat(world, "", "sim/other", **said).status == 200
    assert {record.end_user for record in world.gates.settled} == {None, "ann"}
    answer = chat(world, minted(world)["secret"], origin=PAGE, **said)
    assert answer.status == 200  # whatever its page says
