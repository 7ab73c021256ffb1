"""What an operator sees of all organisations and people, and how it suspends one."""

from __future__ import annotations

from typing import Any

import pytest

from lib.secrets.operator_tokens import new_token
from lib.store.tenant import Org
from tests.unit.fakes import run
from tests.unit.sign_in.members import events, join
from tests.unit.sign_in.signed_in import EMAIL, PASSWORD, Browser, new_person
from tests.unit.store.seeds import seed_key, seed_org
from tests.unit.world import Answer, World, cold, new_world

ORGS, PEOPLE = "/api/v1/operator/orgs", "/api/v1/operator/users"
CHAT = {"model": "sim/chat", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}


def ask(world: World, method: str, path: str) -> Answer:
    token = new_token(world.parts.config.secret, world.clock.now())
    return world.ask(method, path, key=token)


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.error["code"] if answer.status >= 400 else ""


def test_an_organisation_is_suspended_and_reinstated() -> None:
    """All its keys and people, at once, in an isolate that knows them and in a new one; nothing is lost by it."""
    world, browser = new_person()
    other = join(world, "viewer")
    own = f"{ORGS}/{world.org_id}/actions"
    assert world.ask("GET", "/v1/models").status == 200
    answer = ask(world, "POST", f"{own}/suspend")
    assert (answer.status, answer.data["id"]) == (200, world.org_id)
    assert answer.data["suspended_at"] is not None
    refused = (403, "organisation_suspended")
    for _ in range(2):
        assert code(world.ask("GET", "/v1/models")) == refused
        assert code(world.ask("POST", "/v1/chat/completions", CHAT)) == refused
        assert code(world.ask("GET", "/api/v1/keys")) == refused
        assert code(browser.ask("GET", "/api/v1/keys")) == refused
        assert code(other.ask("GET", "/api/v1/usage")) == refused
        assert browser.ask("GET", "/api/v1/me").status == 200  # what is its own
        cold(world)
    assert ask(world, "POST", f"{own}/suspend").status == 200
    assert ask(world, "POST", f"{own}/reinstate").data["suspended_at"] is None
    assert world.ask("GET", "/v1/models").status == 200
    assert browser.ask("GET", "/api/v1/keys").status == 200
    told = [action for action, target in events(world) if target == f"org:{world.org_id}"]
    assert told == ["org.suspended", "org.reinstated"]


def test_a_person_is_suspended_and_reinstated() -> None:
    """Its sessions, its apps, its keys and its way in; nobody else's."""
    world, browser = new_person("developer")
    other = join(world, "viewer")
    key = browser.ask("POST", "/api/v1/keys", {"name": "x"}).data["secret"]
    body = {"grant_type": "password", "email": EMAIL, "password": PASSWORD}
    app = world.ask("POST", "/api/v1/tokens", body, key=None).data
    assert world.ask("GET", "/v1/models", key=key).status == 200
    own = f"{PEOPLE}/{browser.user_id}/actions"
    assert ask(world, "POST", f"{own}/suspend").data["email"] == EMAIL
    refused = (403, "account_suspended")
    refresh = {"grant_type": "refresh_token", "refresh_token": app["refresh_token"]}
    for answer in (
        browser.ask("GET", "/api/v1/me"),
        browser.ask("GET", "/api/v1/models"),
        world.ask("GET", "/api/v1/me", key=app["access_token"]),
        world.ask("GET", "/v1/models", key=app["access_token"]),
        world.ask("GET", "/v1/models", key=key),
        world.ask("POST", "/api/v1/tokens", body, key=None),
        world.ask("POST", "/api/v1/tokens", refresh, key=None),
        world.ask("POST", "/api/v1/sessions", {"email": EMAIL, "password": PASSWORD}, key=None),
    ):
        assert code(answer) == refused, answer.facts
    wrong = {"email": EMAIL, "password": "wrong horse battery"}
    assert code(world.ask("POST", "/api/v1/sessions", wrong, key=None)) == (401, "invalid_credentials")
    assert other.ask("GET", "/api/v1/me").status == 200
    assert world.ask("GET", "/v1/models").status == 200
    assert ask(world, "POST", f"{own}/reinstate").data["suspended_at"] is None
    assert browser.ask("GET", "/api/v1/me").status == 200
    assert world.ask("GET", "/v1/models", key=key).status == 200
    assert Browser.sign_in(world, browser.user_id).signed_in.status == 201
    rows = world.binding.rows("SELECT action, actor FROM person_events WHERE actor = 'operator' ORDER BY seq")
    assert [row["action"] for row in rows] == ["user.suspended", "user.reinstated"]


def test_one_of_both_is_taken_back() -> None:
    """A key whose organisation and person are suspended works when both are reinstated."""
    world, browser = new_person("developer")
    key = browser.ask("POST", "/api/v1/keys", {"name": "x"}).data["secret"]
    org, person = f"{ORGS}/{world.org_id}/actions", f"{PEOPLE}/{browser.user_id}/actions"
    for path in (org, person):
        assert ask(world, "POST", f"{path}/suspend").status == 200
    ask(world, "POST", f"{org}/reinstate")
    assert code(world.ask("GET", "/v1/models", key=key)) == (403, "account_suspended")
    ask(world, "POST", f"{person}/reinstate")
    assert world.ask("GET", "/v1/models", key=key).status == 200


def test_a_person_is_suspended_with_its_keys_where_it_is_no_member_any_more() -> None:
    """What it has made stays with the organisation that it leaves, but its secret is the person's. Taken back too."""
    world, browser = new_person("developer")
    owner = join(world, "owner")
    key, other = (browser.ask("POST", "/api/v1/keys", {"name": "x"}).data["secret"] for _ in range(2))
    actions, refused = f"{PEOPLE}/{browser.user_id}/actions", (403, "account_suspended")
    assert owner.ask("DELETE", f"members/{browser.user_id}").status == 204
    assert ask(world, "POST", f"{actions}/suspend").status == 200
    assert [code(world.ask("GET", "/v1/models", key=each)) for each in (key, other)] == [refused] * 2
    assert ask(world, "POST", f"{actions}/reinstate").status == 200
    assert world.ask("GET", "/v1/models", key=key).status == 200


@pytest.mark.parametrize("away", [0, 1])
def test_a_gate_that_is_away_leaves_no_other_organisations_keys_to_the_suspended(away: int) -> None:
    """Whoever abuses may keep one of its gates too busy to hear. Repeating ends it there too."""
    world, browser = new_person("developer")
    here = browser.ask("POST", "/api/v1/keys", {"name": "x"}).data["secret"]
    other = run(seed_org(world.parts.database, "other"))
    there = run(seed_key(world.parts.database, other, ["models:read"]))
    sql = "UPDATE api_keys SET user_id = ? WHERE org_id = ?"
    run(world.parts.database.execute(Org(other), sql, browser.user_id, other))
    keys = dict(sorted({world.org_id: here, other: there.secret}.items()))
    assert [world.ask("GET", "/v1/models", key=key).status for key in keys.values()] == [200, 200]
    world.gates.away = {list(keys)[away]}
    own = f"{PEOPLE}/{browser.user_id}/actions/suspend"
    assert ask(world, "POST", own).status == 503
    assert code(world.ask("GET", "/v1/models", key=list(keys.values())[1 - away])) == (403, "account_suspended")
    world.gates.away = set()
    assert ask(world, "POST", own).status == 200
    for key in keys.values():
        assert code(world.ask("GET", "/v1/models", key=key)) == (403, "account_suspended")


def test_what_replaces_a_suspended_persons_key_is_suspended_too() -> None:
    """It is the same person's, whoever has rotated it; and what is made with a suspended key is not made."""
    world, browser = new_person("developer")
    owner = join(world, "owner")
    key = browser.ask("POST", "/api/v1/keys", {"name": "x"}).data
    assert ask(world, "POST", f"{PEOPLE}/{browser.user_id}/actions/suspend").status == 200
    new = owner.ask("POST", f"/api/v1/keys/{key['id']}/actions/rotate", {}).data["secret"]
    assert code(world.ask("GET", "/v1/models", key=new)) == (403, "account_suspended")
    assert ask(world, "POST", f"{PEOPLE}/{browser.user_id}/actions/reinstate").status == 200
    assert world.ask("GET", "/v1/models", key=new).status == 200


def test_organisations_are_listed_with_what_they_spend() -> None:
    """Found by a part of the name, or by id; page by page."""
    world = new_world()
    second = run(seed_org(world.parts.database))
    world.ask("POST", "/v1/chat/completions", CHAT)
    run(world.parts.gates.flush(world.org_id))
    listed = ask(world, "GET", ORGS).data
    assert [org["id"] for org in listed] == sorted([world.org_id, second])
    spent = {org["id"]: (org["requests"], org["cost_nano_usd"] > 0) for org in listed}
    assert spent[second] == (0, False)
    assert spent[world.org_id][0] == 1
    first = ask(world, "GET", f"{ORGS}?limit=1").body
    rest = ask(world, "GET", f"{ORGS}?limit=1&cursor={first['meta']['next_cursor']}").body
    assert [first["data"][0]["id"], rest["data"][0]["id"]] == [org["id"] for org in listed]
    assert rest["meta"]["next_cursor"] is None
    assert [org["id"] for org in ask(world, "GET", f"{ORGS}?find={second}").data] == [second]
    assert ask(world, "GET", f"{ORGS}?find=%25").data == []
    [line] = ask(world, "GET", f"{ORGS}/{world.org_id}/usage?group_by=model").data
    assert (line["model"], line["requests"]) == ("sim/chat", 1)


@pytest.mark.parametrize(
    ("find", "names"),
    [("", 2), ("ADA@", 1), ("viewer@example", 1), ("nobody", 0), ("_da@", 0), (f"{'a' * 60}@example.com", 0)],
)
def test_people_are_found(find: str, names: int) -> None:
    """By a part of the address, whatever its case; signs of patterns are no signs."""
    world, _ = new_person()
    join(world, "viewer")
    assert len(ask(world, "GET", f"{PEOPLE}?find={find}").data) == names


@pytest.mark.parametrize("path", [f"{ORGS}/x/actions/suspend", f"{PEOPLE}/x/actions/suspend"])
def test_whoever_is_not_there_is_404(path: str) -> None:
    world = new_world()
    assert ask(world, "POST", path).status == 404
    missing: Any = path.replace("/x/", "/019df2f7-0000-7000-8000-000000000000/")
    assert ask(world, "POST", missing).status == 404
