"""A person's ways in: added by who is signed in and proves it again, removed but for the last one."""

from __future__ import annotations

from typing import Any

import pytest

from lib.sign_in.logins import MOST_LOGINS
from tests.unit.sign_in.browser import PUBLIC_URL, Browser, browser
from tests.unit.sign_in.people import EMAIL, PASSWORD
from tests.unit.sign_in.signing_up import events, join, row
from tests.unit.world import Answer

LOGINS = "/api/v1/me/logins"


def signed_in(**claims: Any) -> Browser:
    """Return a browser of somebody who came in with the provider, and has no password."""
    client = browser(**claims)
    assert client.sign_in().status == 303
    return client


def change(client: Browser, method: str, path: str, body: object = None) -> Answer:
    """Ask for a change as one's own page does."""
    return client.ask(method, path, body, x_csrf_token=client.session()["csrf_token"], sec_fetch_site="same-origin")


def add(client: Browser, **fields: str) -> Answer:
    """Begin to add the person `second` of the provider."""
    client.issuer.claims = {"sub": "second", "email": "second@elsewhere.example"}
    answer = change(client, "POST", LOGINS, {"provider": "acme", **fields})
    if answer.status == 200:
        client.go(answer.data["authorization_url"])
    return answer


def ids(client: Browser) -> list[str]:
    return [login["id"] for login in client.ask("GET", LOGINS).data]


def with_password(client: Browser) -> str:
    """Let the account have a password, as a reset gives it one."""
    other = browser()
    join(other.world)
    password_hash = row(other.world)["password_hash"]
    client.world.binding.rows("UPDATE users SET password_hash = ? RETURNING id", password_hash)
    return PASSWORD


def code(answer: Answer) -> str:
    return str(answer.error["code"])


def test_ones_own_are_listed() -> None:
    """Without what they are found by, and without anybody else's."""
    client = signed_in()
    client.issuer.claims = {"sub": "bob", "email": "bob@wonder.example"}
    client.other().sign_in()
    [shown] = client.ask("GET", LOGINS).data
    assert set(shown) == {"id", "issuer", "email", "created_at"}
    assert shown["email"] == EMAIL


def test_the_list_has_pages() -> None:
    client = signed_in()
    add(client)
    client.back()
    first = client.ask("GET", f"{LOGINS}?limit=1").body
    second = client.ask("GET", f"{LOGINS}?limit=1&cursor={first['meta']['next_cursor']}").body
    assert [page["data"][0]["id"] for page in (first, second)] == ids(client)
    assert second["meta"]["next_cursor"] is None


def test_another_way_in_is_added_whatever_its_address_is() -> None:
    """Who has signed in on both sides owns both: the addresses need not be one, nor verified there."""
    client = signed_in()
    user_id = client.session()["user_id"]
    session = dict(client.cookies)
    assert add(client, return_to="/app").status == 200
    client.issuer.claims["email_verified"] = False
    back = client.back()
    assert (back.status, back.headers["location"]) == (303, f"{PUBLIC_URL}/app")
    assert len(ids(client)) == 2
    assert client.cookies == session  # the same session goes on
    assert events(client.world, user_id)[-1] == ("login.added", "ok")
    other = client.other()
    other.sign_in()
    assert other.session()["user_id"] == user_id


def test_a_way_in_is_one_persons() -> None:
    client = signed_in()
    client.issuer.claims = {"sub": "second", "email": "second@elsewhere.example"}
    client.other().sign_in()
    add(client)
    assert code(client.back()) == "login_taken"
    assert len(ids(client)) == 1


def test_ones_own_again_changes_nothing() -> None:
    client = signed_in()
    add(client)
    client.issuer.claims = {}
    assert client.back().status == 303
    assert len(ids(client)) == 1


def test_a_page_of_another_site_adds_nothing() -> None:
    """CSRF: else a stranger's way in would be added to whoever looks at the stranger's page."""
    client = signed_in()
    token = client.session()["csrf_token"]
    body = {"provider": "acme"}
    assert client.ask("POST", LOGINS, body, sec_fetch_site="same-origin").status == 403
    assert client.ask("POST", LOGINS, body, x_csrf_token=token, sec_fetch_site="cross-site").status == 403
    assert client.ask("GET", f"{LOGINS}?provider=acme").status in (200, 400)
    assert len(ids(client)) == 1


def test_the_password_is_asked_for_again() -> None:
    """Who finds an open session must not make itself a way in that stays."""
    client = signed_in()
    password = with_password(client)
    assert code(add(client)) == "wrong_password"
    assert code(add(client, password="a wrong password")) == "wrong_password"
    assert add(client, password=password).status == 200


def test_without_a_password_the_session_must_be_young() -> None:
    client = signed_in()
    client.world.clock.advance(minutes=11)
    assert code(add(client)) == "sign_in_again"


def test_it_ends_in_the_browser_and_session_that_began_it() -> None:
    """Signed out meanwhile, or somebody else by now: nobody's account gets the way in."""
    client = signed_in()
    add(client)
    gone = client.other()
    gone.cookies = {name: value for name, value in client.cookies.items() if name != "__Host-headgate"}
    gone.shown = client.shown
    assert code(gone.back()) == "invalid_session"
    bob = client.other()
    client.issuer.claims = {"sub": "bob", "email": "bob@wonder.example"}
    bob.sign_in()
    bob.cookies["__Host-headgate-sign-in"] = client.cookies["__Host-headgate-sign-in"]
    bob.shown, client.issuer.nonce = client.shown, client.shown["nonce"]
    assert code(bob.back()) == "invalid_session"
    assert len(ids(client)) == 1


def test_nobody_has_more_than_a_few() -> None:
    client = signed_in()
    [login] = client.world.binding.rows("SELECT * FROM logins")
    for number in range(MOST_LOGINS - 1):
        login |= {"id": f"{number:036}", "secret_hash": f"{number:064}"}
        marks = ", ".join("?" * len(login))
        client.world.binding.rows(
            f"INSERT INTO logins ({', '.join(login)}) VALUES ({marks}) RETURNING id", *login.values()
        )
    add(client)
    assert code(client.back()) == "too_many_logins"


def test_a_way_in_is_removed_and_opens_nothing_more() -> None:
    client = signed_in()
    add(client)
    client.back()
    user_id = client.session()["user_id"]
    [second] = [login["id"] for login in client.ask("GET", LOGINS).data if login["email"] != EMAIL]
    assert change(client, "DELETE", f"{LOGINS}/{second}").status == 204
    assert len(ids(client)) == 1
    assert events(client.world, user_id)[-1] == ("login.removed", "ok")
    other = client.other()
    other.sign_in()
    assert other.session()["user_id"] != user_id


def test_the_last_way_in_stays() -> None:
    """Without a password nobody would get in any more; with one it may go."""
    client = signed_in()
    [only] = ids(client)
    answer = change(client, "DELETE", f"{LOGINS}/{only}")
    assert (answer.status, code(answer)) == (409, "last_login")
    body = {"password": with_password(client)}
    assert change(client, "DELETE", f"{LOGINS}/{only}", body).status == 204
    assert ids(client) == []


def removals(client: Browser) -> int:
    """Return how many ways in were removed, as the person's log has it."""
    return events(client.world, client.session()["user_id"]).count(("login.removed", "ok"))


def test_what_was_not_removed_is_not_noted() -> None:
    """A log that told of it would be wrong."""
    client = signed_in()
    [only] = ids(client)
    assert change(client, "DELETE", f"{LOGINS}/{only}").status == 409
    assert removals(client) == 0


@pytest.mark.parametrize(("gone", "status", "refused"), [(0, 409, "last_login"), (1, 404, "not_found")])
def test_of_two_removals_at_once_one_way_in_remains(gone: int, status: int, refused: str) -> None:
    """Another request removes the other way in (or the same) between our looking and our removing."""
    client = signed_in()
    add(client)
    client.back()
    both = ids(client)
    world, asked = client.world, both[1]

    def meanwhile() -> None:
        if any(sql.startswith("DELETE FROM logins") for sql, _ in world.binding.statements[-4:]):
            world.binding.on_batch = lambda: None
            world.binding.connection.execute("DELETE FROM logins WHERE id = ?", (both[gone],))

    world.binding.on_batch = meanwhile
    answer = change(client, "DELETE", f"{LOGINS}/{asked}")
    assert (answer.status, code(answer)) == (status, refused)
    assert ids(client) == [both[1 - gone]]
    assert removals(client) == 0


def test_anothers_is_not_there() -> None:
    client = signed_in()
    client.issuer.claims = {"sub": "bob", "email": "bob@wonder.example"}
    bob = client.other()
    bob.sign_in()
    [own] = ids(client)
    assert change(bob, "DELETE", f"{LOGINS}/{own}").status == 404
    assert change(bob, "DELETE", f"{LOGINS}/nonsense").status == 404
    assert ids(client) == [own]


def test_a_key_has_no_ways_in() -> None:
    client = signed_in()
    for method, path in (("GET", LOGINS), ("POST", LOGINS), ("DELETE", f"{LOGINS}/x")):
        assert client.world.ask(method, path, {"provider": "acme"} if method == "POST" else None).status == 403
