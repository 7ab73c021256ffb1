"""An organisation that asks its members for codes at sign-in (ASVS V6.3.3)."""

from __future__ import annotations

import base64
import json

import pytest

from lib.sign_in import totp
from tests.unit.sign_in.members import Caller, again, join, owned
from tests.unit.sign_in.signed_in import PASSWORD, Browser, add_user
from tests.unit.world import Answer, World

ORG = "/api/v1/orgs/current"
ACTIONS = "/api/v1/me/actions"
CHAT = {"model": "sim/chat", "messages": [{"role": "user", "content": "x"}]}
REFUSED = (403, "second_factor_required")


def switch_on(caller: Caller | Browser) -> bytes:
    """Switch codes at sign-in on, as a person does; return the authenticator's secret."""
    begun = caller.ask("POST", f"{ACTIONS}/begin_totp", {"password": PASSWORD})
    assert begun.status == 200, begun.body
    secret = base64.b32decode(begun.data["secret"])
    assert caller.ask("POST", f"{ACTIONS}/confirm_totp", {"code": code(caller, secret)}).status == 200
    caller.world.clock.advance(seconds=60)
    return secret


def code(caller: Caller | Browser, secret: bytes) -> str:
    return totp.code_at(secret, int(caller.world.clock.now().timestamp()) // 30)


def require(owner: Browser, required: bool = True) -> Answer:
    return owner.ask("PATCH", ORG, {"require_second_factor": required}, headers={"if-match": "*"})


def required() -> tuple[World, Browser]:
    """Return a world whose organisation asks for codes, and its owner, who has them."""
    world, _ = owned()
    owner = Browser.sign_in(world, add_user(world, "owner").id)
    switch_on(owner)
    assert require(owner).data["require_second_factor"] is True
    return world, owner


def member(world: World, role: str = "admin") -> tuple[Browser, Caller]:
    """Return a member without codes: in a browser, and with an app's token."""
    email = f"{role}@wonder.example"
    user = add_user(world, role, email)
    return Browser.sign_in(world, user.id, email=email), again(Caller(world, user, ""), world.org_id)


def seen(answer: Answer) -> tuple[int, str]:
    return answer.status, str(answer.error["code"])


def test_who_has_no_codes_is_refused() -> None:
    """In a browser and in an app, by both APIs; who has them is not."""
    world, owner = required()
    for caller in member(world):
        for method, path, body in (
            ("GET", "/api/v1/keys", None),
            ("POST", "/api/v1/keys", {"name": "x"}),
            ("GET", ORG, None),
            ("POST", "/v1/chat/completions", CHAT),
        ):
            assert seen(caller.ask(method, path, body)) == REFUSED
    assert owner.ask("GET", "/api/v1/keys").status == 200
    assert owner.ask("POST", "/v1/chat/completions", CHAT).status == 200


def test_it_holds_at_once_for_who_is_signed_in() -> None:
    """Also where an isolate has the caller in memory: its gate has been told."""
    world, _ = owned()
    owner = Browser.sign_in(world, add_user(world, "owner").id)
    switch_on(owner)
    browser, app = member(world)
    for caller in (browser, app):
        assert caller.ask("POST", "/v1/chat/completions", CHAT).status == 200
    require(owner)
    for caller in (browser, app):
        assert seen(caller.ask("POST", "/v1/chat/completions", CHAT)) == REFUSED
        assert seen(caller.ask("GET", "/api/v1/keys")) == REFUSED
    require(owner, False)
    for caller in (browser, app):
        assert caller.ask("POST", "/v1/chat/completions", CHAT).status == 200
        assert caller.ask("GET", "/api/v1/keys").status == 200


def test_what_is_ones_own_stays_open_and_codes_let_one_in() -> None:
    """The person sees why, switches codes on, and goes on with the same session and token."""
    world, _ = required()
    browser, app = member(world)
    assert seen(app.ask("POST", "/v1/chat/completions", CHAT)) == REFUSED
    shown = browser.ask("GET", "/api/v1/me").data
    assert (shown["second_factor_required"], shown["permissions"]) == (True, [])
    assert browser.ask("GET", "/api/v1/sessions").status == 200
    secret = switch_on(browser)
    for caller in (browser, app):
        assert caller.ask("GET", "/api/v1/keys").status == 200
        assert caller.ask("POST", "/v1/chat/completions", CHAT).status == 200
    shown = browser.ask("GET", "/api/v1/me").data
    assert not shown["second_factor_required"]
    assert "keys:write" in shown["permissions"]
    off = {"password": PASSWORD, "code": code(browser, secret)}
    assert browser.ask("POST", f"{ACTIONS}/disable_totp", off).status == 204
    for caller in (browser, app):
        assert seen(caller.ask("GET", "/api/v1/keys")) == REFUSED
        assert seen(caller.ask("POST", "/v1/chat/completions", CHAT)) == REFUSED


def test_keys_are_not_asked() -> None:
    """They are no people; one that belongs to somebody without codes neither."""
    world, _ = required()
    assert world.ask("GET", "/api/v1/keys").status == 200
    assert world.ask("POST", "/v1/chat/completions", CHAT).status == 200


def test_another_organisation_is_not_concerned() -> None:
    """Each decides for itself; the same person is let in there."""
    world, _ = required()
    _, app = member(world)
    made = app.ask("POST", "/api/v1/orgs", {"name": "Own"})
    assert made.status == 201
    assert again(app, made.data["id"]).ask("GET", "/api/v1/keys").status == 200
    assert app.ask("POST", f"/api/v1/orgs/{world.org_id}/actions/leave", {}).status == 204


@pytest.mark.parametrize("role", ["admin", "developer"])
def test_it_is_the_owners_to_say(role: str) -> None:
    world, owner = owned()
    other = join(world, role)
    assert other.ask("PATCH", ORG, {"require_second_factor": True}).status == 403
    assert owner.ask("GET", ORG).data["require_second_factor"] is False


def test_whoever_asks_for_codes_has_them() -> None:
    """Else the next request would be refused, that takes it back too."""
    world, _ = owned()
    owner = Browser.sign_in(world, add_user(world, "owner").id)
    assert seen(require(owner)) == (409, "totp_not_enabled")
    assert owner.ask("GET", ORG).data["require_second_factor"] is False


def test_it_is_noted_and_other_changes_leave_it() -> None:
    world, owner = required()
    since = world.binding.rows("SELECT second_factor_required_at AS at FROM orgs WHERE id = ?", world.org_id)
    world.clock.advance(minutes=1)
    renamed = owner.ask("PATCH", ORG, {"name": "New"}, headers={"if-match": "*"})
    assert (renamed.data["name"], renamed.data["require_second_factor"]) == ("New", True)
    require(owner)
    assert world.binding.rows("SELECT second_factor_required_at AS at FROM orgs WHERE id = ?", world.org_id) == since
    assert require(owner, False).data["require_second_factor"] is False
    rows = world.binding.rows("SELECT details FROM audit_events WHERE action = 'org.updated' ORDER BY seq")
    said = [json.loads(str(row["details"]))["require_second_factor"] for row in rows]
    assert said == [True, True, True, False]
