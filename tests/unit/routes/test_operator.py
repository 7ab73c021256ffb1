"""What an operator does to people: ends their sessions (ASVS V7.4.5)."""

from __future__ import annotations

import pytest

from lib.secrets.operator_tokens import new_token
from tests.unit.sign_in.members import Caller, join, owned
from tests.unit.sign_in.signed_in import EMAIL, Browser, actions, new_person
from tests.unit.world import Answer, World

USERS = "/api/v1/operator/users/actions"


def ask(world: World, path: str, body: object = None) -> Answer:
    token = new_token(world.parts.config.secret, world.clock.now())
    return world.ask("POST", f"{USERS}/{path}", body, key=token)


def works(client: Browser | Caller) -> bool:
    status = client.ask("GET", "/api/v1/me").status
    assert status in (200, 401)
    return status == 200


def test_one_persons_sessions_end() -> None:
    """Its browsers' and its apps', at once; nobody else's. It may sign in again."""
    world, browser = new_person()
    second = Browser.sign_in(world, browser.user_id)
    other = join(world, "viewer")
    body = {"grant_type": "password", "email": EMAIL, "password": "correct horse battery"}
    app = world.ask("POST", "/api/v1/tokens", body, key=None).data
    world.clock.advance(seconds=1)
    answer = ask(world, "end_sessions", {"email": f" {EMAIL.upper()}"})
    assert (answer.status, answer.data) == (200, {"user_id": browser.user_id})
    assert [works(client) for client in (browser, second, other)] == [False, False, True]
    assert world.ask("GET", "/api/v1/me", key=app["access_token"]).status == 401
    refresh = {"grant_type": "refresh_token", "refresh_token": app["refresh_token"]}
    assert world.ask("POST", "/api/v1/tokens", refresh, key=None).status == 401
    assert works(Browser.sign_in(world, browser.user_id))


def test_it_is_noted_who_did_it() -> None:
    """In the person's own log, with the operator as the one."""
    world, browser = new_person()
    ask(world, "end_sessions", {"email": EMAIL})
    assert actions(world)[-1] == ("session.all_ended", "ok")
    [event] = world.binding.rows("SELECT * FROM person_events WHERE action = 'session.all_ended'")
    assert (event["user_id"], event["actor"]) == (browser.user_id, "operator")


def test_everybodys_sessions_end() -> None:
    """Page by page; doing it again does no harm."""
    world, browser = new_person()
    others = [join(world, role) for role in ("admin", "viewer", None)]
    world.clock.advance(seconds=1)
    found = []
    cursor: str | None = ""
    while cursor is not None:
        page = ask(world, f"end_all_sessions?limit=3{cursor and f'&cursor={cursor}'}")
        assert page.status == 200
        found += [ended["user_id"] for ended in page.data]
        cursor = page.body["meta"]["next_cursor"]
    assert sorted(found) == sorted([browser.user_id, *(other.id for other in others)])
    assert [works(browser), *map(works, others)] == [False] * 4
    noted = world.binding.rows("SELECT actor FROM person_events WHERE action = 'session.all_ended'")
    assert noted == [{"actor": "operator"}] * 4
    assert ask(world, "end_all_sessions").status == 200


def test_the_models_are_not_called_any_more_either() -> None:
    """An isolate that had the caller in memory asks its gate, which has been told."""
    world, owner = owned()
    chat = {"model": "sim/chat", "messages": [{"role": "user", "content": "x"}]}
    assert world.ask("POST", "/v1/chat/completions", chat, key=owner.token).status == 200
    world.clock.advance(seconds=1)
    ask(world, "end_all_sessions")
    assert world.ask("POST", "/v1/chat/completions", chat, key=owner.token).status == 401


@pytest.mark.parametrize(
    ("body", "status"), [({"email": "nobody@example.com"}, 404), ({}, 400), ({"email": EMAIL, "user_id": "x"}, 400)]
)
def test_whose_they_are_must_be_said(body: dict[str, str], status: int) -> None:
    world, browser = new_person()
    assert ask(world, "end_sessions", body).status == status
    assert works(browser)


def test_only_the_operator_may() -> None:
    """Not an owner, nor a key that may do everything, nor who signs with another secret."""
    world, owner = owned()
    for key in (owner.token, None, world.key.secret, new_token("x" * 32, world.clock.now())):
        for path, body in (("end_sessions", {"email": owner.user.email}), ("end_all_sessions", None)):
            assert world.ask("POST", f"{USERS}/{path}", body, key=key).status == 401
    assert works(owner)


def test_a_deleted_account_is_passed_over() -> None:
    world, owner = owned()
    world.binding.rows("UPDATE users SET deleted_at = '2026' WHERE id = ? RETURNING id", owner.id)
    assert ask(world, "end_all_sessions").data == []
