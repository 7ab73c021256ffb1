"""Browsers' sessions, through the whole application: the cookie, what it needs beside it, and how it ends."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from lib.http.cookies import SESSION_COOKIE
from lib.sessions.sessions import read_cookie
from lib.sign_in import housekeeping
from lib.users import people
from tests.unit.fakes import run
from tests.unit.sign_in.signed_in import EMAIL, OWN, PASSWORD, Browser, actions, add_user, new_person, of
from tests.unit.store.seeds import seed_membership, seed_org

CHAT = {"model": "sim/chat", "messages": [{"role": "user", "content": "hi"}]}
CORS = of(cors_origins=frozenset({"https://app.example"}))


def test_signing_in_sets_a_cookie_that_only_the_browser_has() -> None:
    """`__Host-`, HttpOnly, Secure, SameSite=Lax, Path=/; and its secret is nowhere else."""
    world, browser = new_person()
    set_cookie = browser.signed_in.headers["set-cookie"]
    name, _, rest = set_cookie.partition("=")
    value, *attributes = rest.split("; ")
    assert name == SESSION_COOKIE == "__Host-headgate"
    assert set(attributes) == {"Path=/", f"Max-Age={14 * 86400}", "HttpOnly", "Secure", "SameSite=Lax"}
    cookie = read_cookie(value)
    assert cookie is not None
    assert cookie.secret not in str(browser.signed_in.body)
    stored = "".join(str(row) for row in world.binding.connection.execute("SELECT * FROM sessions"))
    assert cookie.secret not in stored
    data = browser.signed_in.data
    assert (browser.signed_in.status, data["org_id"], data["current"]) == (201, world.org_id, True)


def test_a_session_may_what_its_role_may() -> None:
    """And it is a member's own key that its calls are counted on, which nobody can show."""
    world, browser = new_person("developer")
    answer = browser.ask("GET", "/api/v1/keys")
    assert answer.status == 200
    assert answer.facts["principal"] == f"user:{browser.user_id}"
    assert browser.ask("POST", "/api/v1/limits", {}).status in (400, 403)
    assert browser.ask("POST", "/v1/chat/completions", CHAT).status == 200
    [record] = world.gates.opened
    [row] = world.binding.connection.execute("SELECT id, kind, user_id FROM api_keys WHERE kind = 'person'")
    assert tuple(row) == (record.key_id, "person", browser.user_id)


@pytest.mark.parametrize("role", ["viewer", "billing"])
def test_a_role_that_may_not_is_told_so(role: str) -> None:
    """403, in its own words."""
    _, browser = new_person(role)
    answer = browser.ask("POST", "/api/v1/keys", {"name": "x"})
    assert (answer.status, answer.error["message"]) == (403, "You lack the scope keys:write.")


def test_a_key_that_a_person_makes_lasts_longer_than_its_session() -> None:
    """A key's own end binds what it makes; a session's does not."""
    _, browser = new_person()
    made = browser.ask("POST", "/api/v1/keys", {"name": "x"})
    assert (made.status, made.data["expires_at"]) == (201, None)


@pytest.mark.parametrize("token", [None, "", "x", "0" * 64])
@pytest.mark.parametrize(("method", "path"), [("POST", "/api/v1/keys"), ("DELETE", "/api/v1/sessions/current")])
def test_a_change_by_cookie_needs_the_sessions_token(method: str, path: str, token: str | None) -> None:
    """What a browser sends by itself proves nobody's will; reading needs nothing more."""
    _, browser = new_person()
    answer = browser.ask(method, path, {"name": "x"} if method == "POST" else None, csrf=token)
    assert (answer.status, answer.error["code"]) == (403, "csrf_token_missing")
    assert browser.ask("GET", path.replace("/current", ""), csrf=None).status == 200


def test_another_sessions_token_is_no_good() -> None:
    """The token is bound to the session's secret."""
    world, browser = new_person()
    other = Browser.sign_in(world, browser.user_id)
    assert other.csrf != browser.csrf
    assert browser.ask("POST", "/api/v1/keys", {"name": "x"}, csrf=other.csrf).status == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"origin": OWN}, 201),
        ({"sec-fetch-site": "same-origin"}, 201),
        ({"sec-fetch-site": "same-origin", "origin": OWN}, 201),
        ({"origin": "https://app.example", "sec-fetch-site": "cross-site"}, 201),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "https://app.example.evil.example"}, 403),
        ({"origin": OWN + "."}, 403),
        ({"origin": "http" + OWN.removeprefix("https")}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": OWN}, 403),
    ],
)
def test_a_change_by_cookie_comes_from_our_own_pages(headers: Mapping[str, str], status: int) -> None:
    """By Origin and Fetch Metadata, and even with the right token; a sibling domain's page is a stranger's."""
    _, browser = new_person(session=CORS)
    answer = browser.ask("POST", "/api/v1/keys", {"name": "x"}, headers=headers)
    assert answer.status == status
    if status == 403:
        assert answer.error["code"] == "origin_not_allowed"


def test_a_strangers_page_cannot_sign_a_browser_in() -> None:
    """Nor choose as whom (login CSRF)."""
    world, _ = new_person()
    body = {"email": EMAIL, "password": PASSWORD}
    headers = {"origin": "https://evil.example"}
    assert world.ask("POST", "/api/v1/sessions", body, key=None, headers=headers).status == 403


def test_a_wrong_password_is_refused() -> None:
    """With no cookie."""
    world, _ = new_person()
    answer = world.ask("POST", "/api/v1/sessions", {"email": EMAIL, "password": "wrong"}, key=None)
    assert (answer.status, answer.error["code"]) == (401, "invalid_credentials")
    assert "set-cookie" not in answer.headers


def test_signing_in_again_ends_the_session_before() -> None:
    """The secret is another, and the old one is worth nothing."""
    world, browser = new_person()
    again = Browser.sign_in(world, browser.user_id, browser.cookie)
    assert again.cookie != browser.cookie
    assert again.ask("GET", "/api/v1/sessions").status == 200
    assert browser.ask("GET", "/api/v1/sessions").status == 401


def test_a_cookie_that_somebody_made_up_costs_nothing() -> None:
    """Refused by its looks, before the store is asked."""
    world, browser = new_person()
    secret, user_id, org_id = browser.cookie.split(".")
    world.binding.statements.clear()
    wrong = secret[:-1] + ("y" if secret.endswith("x") else "x")
    for value in ("", "x", secret, f"{secret}.{user_id}", f"{wrong}.{user_id}.{org_id}", f"{secret}.x.{org_id}"):
        assert browser.ask("GET", "/api/v1/sessions", cookie=value).status == 401, value
    assert browser.ask("GET", "/api/v1/sessions", cookie=f"{browser.cookie}; {SESSION_COOKIE}=x").status == 401
    assert world.binding.statements == []


def test_whose_a_session_is_cannot_be_changed_in_the_cookie() -> None:
    """Another person, another organisation: no such session."""
    world, browser = new_person()
    stranger = add_user(world, email="other@example.com").id
    secret, user_id, org_id = browser.cookie.split(".")
    for value in (f"{secret}.{stranger}.{org_id}", f"{secret}.{user_id}.{user_id}", f"{secret}.{user_id}."):
        assert browser.ask("GET", "/api/v1/sessions", cookie=value).status == 401


def test_a_session_that_nobody_uses_ends() -> None:
    """After a day; one in use goes on, up to its absolute end."""
    world, browser = new_person()
    for _ in range(13):
        world.clock.advance(hours=23, minutes=59)
        assert browser.ask("GET", "/api/v1/sessions").status == 200
    world.clock.advance(hours=24)
    answer = browser.ask("GET", "/api/v1/sessions")
    assert (answer.status, answer.error["code"]) == (401, "invalid_session")


def test_a_session_ends_for_good() -> None:
    """After fourteen days, however much it is used."""
    world, browser = new_person()
    for _ in range(14 * 2 - 1):
        world.clock.advance(hours=12)
        assert browser.ask("GET", "/api/v1/sessions").status == 200
    world.clock.advance(hours=12)
    assert browser.ask("GET", "/api/v1/sessions").status == 401
    world.clock.advance(days=8)
    assert run(housekeeping.purge(world.parts))["sessions"] == 1


def test_one_use_is_one_look_at_the_store() -> None:
    """Who it is, what it may, and whether it has ended: one round trip. Its use is written down once a minute."""
    world, browser = new_person()
    assert browser.ask("GET", "/api/v1/keys").facts["db_queries"] == 2
    world.clock.advance(seconds=61)
    assert browser.ask("GET", "/api/v1/keys").facts["db_queries"] == 3
    assert browser.ask("GET", "/api/v1/keys").facts["db_queries"] == 2


def test_the_list_of_sessions() -> None:
    """One's own, live, newest first; none of them tells its secret."""
    world, browser = new_person()
    world.clock.advance(seconds=1)
    other = Browser.sign_in(world, browser.user_id)
    listed = browser.ask("GET", "/api/v1/sessions").data
    assert [row["id"] for row in listed] == [other.signed_in.data["id"], browser.signed_in.data["id"]]
    assert [row["current"] for row in listed] == [False, True]
    assert listed[0]["user_agent"] == "a browser"
    assert listed[0]["address"] == "192.0.2.7"
    assert not re.search("hgs_|hash", str(listed))
    first = browser.ask("GET", "/api/v1/sessions?limit=1")
    rest = browser.ask("GET", f"/api/v1/sessions?limit=1&cursor={first.body['meta']['next_cursor']}")
    assert [row["id"] for row in (*first.data, *rest.data)] == [row["id"] for row in listed]


def test_the_own_session_tells_its_token() -> None:
    """A page that was loaded anew can go on changing things."""
    _, browser = new_person()
    assert browser.ask("GET", "/api/v1/sessions/current").data["csrf_token"] == browser.csrf


def test_signing_out_here() -> None:
    """The cookie is forgotten, and the session is over at once, on the AI API too."""
    world, browser = new_person()
    assert browser.ask("POST", "/v1/chat/completions", CHAT).status == 200
    answer = browser.ask("DELETE", "/api/v1/sessions/current")
    assert answer.status == 204
    assert answer.headers["set-cookie"].startswith(f"{SESSION_COOKIE}=; Path=/; Max-Age=0;")
    assert browser.ask("GET", "/api/v1/sessions").status == 401
    assert browser.ask("POST", "/v1/chat/completions", CHAT).status == 401
    assert actions(world)[-1] == ("session.ended", "ok")


def test_signing_another_browser_out() -> None:
    """By its id; one's own cookie stays, and nobody else's session can be ended."""
    world, browser = new_person()
    other = Browser.sign_in(world, browser.user_id)
    stranger = Browser.sign_in(world, add_user(world, email="other@example.com").id, email="other@example.com")
    answer = browser.ask("DELETE", f"/api/v1/sessions/{other.signed_in.data['id']}")
    assert (answer.status, "set-cookie" in answer.headers) == (204, False)
    assert other.ask("GET", "/api/v1/sessions").status == 401
    for unknown in (stranger.signed_in.data["id"], other.signed_in.data["id"], "nothing"):
        assert browser.ask("DELETE", f"/api/v1/sessions/{unknown}").status == 404
    assert stranger.ask("GET", "/api/v1/sessions").status == 200


def test_signing_out_everywhere() -> None:
    """Every session ends at once; a new one works in the same moment."""
    world, browser = new_person()
    other = Browser.sign_in(world, browser.user_id)
    assert browser.ask("DELETE", "/api/v1/sessions/all").status == 204
    for ended in (browser, other):
        assert ended.ask("GET", "/api/v1/sessions").status == 401
    assert world.gates.changes == [world.org_id]
    assert Browser.sign_in(world, browser.user_id).ask("GET", "/api/v1/sessions").status == 200


@pytest.mark.parametrize("everywhere", [False, True])
def test_ending_others_asks_for_the_password_again(everywhere: bool) -> None:
    """ASVS V7.5.2: unless one has just signed in. Whoever finds an open session must not sign its owner out."""
    world, browser = new_person()
    other = Browser.sign_in(world, browser.user_id)
    target = f"/api/v1/sessions/{'all' if everywhere else other.signed_in.data['id']}"
    world.clock.advance(minutes=10, seconds=1)
    for body in ({}, {"password": "a wrong password"}):
        refused = browser.ask("DELETE", target, body)
        assert (refused.status, refused.error["code"]) == (403, "wrong_password")
    assert other.ask("GET", "/api/v1/sessions").status == 200
    assert ("sign_in", EMAIL, "192.0.2.7") in world.people.guard.failures
    assert browser.ask("DELETE", target, {"password": PASSWORD}).status == 204
    assert other.ask("GET", "/api/v1/sessions").status == 401
    assert browser.ask("GET", "/api/v1/sessions").status == (401 if everywhere else 200)


@pytest.mark.parametrize("by_id", [False, True])
def test_ending_ones_own_asks_for_nothing(by_id: bool) -> None:
    """However old it is: who leaves a strange computer has it easy."""
    world, browser = new_person()
    world.clock.advance(minutes=30)
    own = browser.signed_in.data["id"] if by_id else "current"
    assert browser.ask("DELETE", f"/api/v1/sessions/{own}").status == 204
    assert browser.ask("GET", "/api/v1/sessions").status == 401


def test_another_organisation_comes_with_another_cookie() -> None:
    """Its rights are others, so the secret is too; the old one is worth nothing."""
    world, browser = new_person("viewer")
    second = run(seed_org(world.parts.database, "Second"))
    assert browser.ask("PATCH", "/api/v1/sessions/current", {"org_id": second}).status == 404
    run(seed_membership(world.parts.database, second, browser.user_id, "owner"))
    answer = browser.ask("PATCH", "/api/v1/sessions/current", {"org_id": second})
    assert (answer.status, answer.data["org_id"]) == (200, second)
    assert browser.ask("GET", "/api/v1/sessions").status == 401
    switched = Browser(world, answer, browser.user_id)
    assert switched.csrf != browser.csrf
    assert switched.ask("POST", "/api/v1/keys", {"name": "x"}).status == 201
    assert switched.ask("GET", "/api/v1/sessions").data[0]["org_id"] == second


def test_who_is_a_member_no_more_has_no_rights() -> None:
    """From the next request on; what is its own stays."""
    world, browser = new_person()
    world.binding.connection.execute("DELETE FROM memberships WHERE user_id = ?", (browser.user_id,))
    assert browser.ask("GET", "/api/v1/keys").status == 403
    assert browser.ask("POST", "/v1/chat/completions", CHAT).status == 403
    assert browser.ask("GET", "/api/v1/sessions").status == 200


def test_who_is_in_no_organisation_begins_with_its_own() -> None:
    """And is active there at once."""
    world, browser = new_person(None)
    assert browser.signed_in.data["org_id"] not in (None, world.org_id)
    assert browser.ask("POST", "/api/v1/keys", {"name": "x"}).status == 201


def test_a_key_is_no_person() -> None:
    """However much it may do."""
    world, _ = new_person()
    answer = world.ask("GET", "/api/v1/sessions")
    assert (answer.status, answer.error["code"]) == (403, "permission_denied")


def test_a_custom_role_is_what_counts() -> None:
    """And not the built-in one beside it; unknown permissions are none."""
    world, browser = new_person("owner")
    connection = world.binding.connection
    connection.execute(
        "INSERT INTO roles (id, org_id, name, permissions, created_at, updated_at)"
        " VALUES (?, ?, 'x', '[\"usage:read\", \"everything\"]', 't', 't')",
        ("r" * 36, world.org_id),
    )
    connection.execute("UPDATE memberships SET custom_role_id = ?", ("r" * 36,))
    assert browser.ask("GET", "/api/v1/usage").status == 200
    assert browser.ask("GET", "/api/v1/keys").status == 403


def test_a_deleted_person_is_signed_out() -> None:
    """Whatever row is left of it."""
    world, browser = new_person()
    world.binding.connection.execute("UPDATE users SET deleted_at = created_at")
    assert browser.ask("GET", "/api/v1/sessions").status == 401


def test_a_key_beside_a_cookie_is_what_counts() -> None:
    """Who sends a key has chosen it; no cookie is looked at, and no token needed."""
    world, browser = new_person("viewer")
    headers = {"cookie": f"{SESSION_COOKIE}={browser.cookie}"}
    answer = world.ask("POST", "/api/v1/keys", {"name": "x"}, headers=headers)
    assert (answer.status, answer.facts["principal"]) == (201, world.key.principal.actor)


def test_the_members_key_is_made_once() -> None:
    """However often it signs in, and two at the same time."""
    world, browser = new_person()
    Browser.sign_in(world, browser.user_id)
    run(people.ensure_key(world.parts, world.org_id, browser.user_id))
    [[count]] = world.binding.connection.execute("SELECT count(*) FROM api_keys WHERE kind = 'person'")
    assert count == 1


def test_an_organisation_that_one_is_not_in_is_not_known() -> None:
    """404 after a good sign-in, and no session."""
    world, _ = new_person()
    other = run(seed_org(world.parts.database, "Other"))
    body = {"email": EMAIL, "password": PASSWORD, "org_id": other}
    assert world.ask("POST", "/api/v1/sessions", body, key=None).status == 404
