"""Answers of a provider that the browser posts: no address holds the code, and no cookie goes where it should not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.sign_in.browser import AUTH, PUBLIC_URL, Browser, browser
from tests.unit.sign_in.fake_issuer import SETTINGS, FakeIssuer, query_of
from tests.unit.sign_in.signed_in import PASSWORD

CALLBACK = f"{AUTH}/acme/callback"
OFFERS = {"response_modes_supported": ["query", "fragment", "form_post"]}


def posting(modes: Any = OFFERS, **settings: Any) -> Browser:
    """Return a browser whose issuer offers this."""
    client = browser()
    client.issuer = FakeIssuer(metadata=modes, settings=replace(SETTINGS, **settings))
    client.world.parts = replace(client.world.parts, issuers={"acme": client.issuer.provider()})
    return client


@pytest.mark.parametrize(
    ("modes", "settings", "mode"),
    [
        (OFFERS, {}, "form_post"),
        (OFFERS, {"form_post": False}, None),
        ({"response_modes_supported": ["query"]}, {}, None),
        ({"response_modes_supported": "form_post"}, {}, None),
        ({}, {}, None),
    ],
)
def test_it_is_asked_for_where_it_is_offered(modes: Any, settings: Any, mode: str | None) -> None:
    """Only then the attempt's cookie goes with another site's POST: every other stays at home."""
    client = posting(modes, **settings)
    begun = client.start()
    assert query_of(begun.headers["location"]).get("response_mode") == mode
    assert ("SameSite=None" in begun.headers["set-cookie"]) == (mode is not None)
    assert begun.headers["set-cookie"].count("SameSite") == 1


def test_a_person_signs_in() -> None:
    """By one more turn of the browser's own. Neither its address nor the cookie shows the code."""
    client = posting()
    client.start(return_to="/app")
    posted = client.back_by_post()
    assert (posted.status, posted.headers["location"]) == (303, PUBLIC_URL + CALLBACK)
    assert "the code" not in posted.headers["set-cookie"]
    assert "Max-Age=60; HttpOnly; Secure; SameSite=Lax" in posted.headers["set-cookie"]
    assert not client.issuer.looks("/token")
    back = client.ask("GET", CALLBACK)
    assert (back.status, back.headers["location"]) == (303, f"{PUBLIC_URL}/app")
    assert client.session() is not None


def test_a_session_from_before_ends_and_a_way_in_can_be_added() -> None:
    """The session's cookie does not go with the provider's POST, and is needed for both."""
    client = posting()
    client.start()
    client.back_by_post()
    client.ask("GET", CALLBACK)
    first, csrf = client.session(), {"x-csrf-token": client.session()["csrf_token"], "sec-fetch-site": "same-origin"}
    client.issuer.claims = {"sub": "another"}
    begun = client.ask("POST", "/api/v1/me/logins", {"provider": "acme", "password": PASSWORD}, **csrf)
    if begun.status == 422:  # the account has no password, and its session is young
        begun = client.ask("POST", "/api/v1/me/logins", {"provider": "acme"}, **csrf)
    client.go(begun.data["authorization_url"])
    client.back_by_post()
    assert client.ask("GET", CALLBACK).status == 303
    assert len(client.ask("GET", "/api/v1/me/logins").data) == 2
    client.start()
    client.back_by_post()
    client.ask("GET", CALLBACK)
    assert client.session()["id"] != first["id"]


def test_what_this_browser_has_not_begun_is_refused() -> None:
    """Login CSRF: a stranger's page posts a stranger's code. It knows no state, and the cookie that does is sealed."""
    client = posting()
    assert client.ask("GET", CALLBACK).status == 400
    client.start()
    assert client.back_by_post(state="another").status == 400
    assert client.other().ask("GET", CALLBACK).status == 400
    victim = client.other()
    victim.shown = client.shown
    assert victim.back_by_post().status == 400
    client.back_by_post()
    victim.cookies = {name: value for name, value in client.cookies.items() if name.endswith("answer")}
    assert victim.ask("GET", CALLBACK).status == 400
    assert client.ask("GET", CALLBACK).status == 303
    assert client.ask("GET", CALLBACK).status == 400


def test_an_answer_is_carried_on_at_once_or_never() -> None:
    """A minute is enough for a redirect."""
    client = posting()
    client.start()
    client.back_by_post()
    client.world.clock.advance(minutes=1)
    assert client.ask("GET", CALLBACK).error["code"] == "sign_in_expired"


def test_a_refusal_comes_by_post_too() -> None:
    client = posting()
    client.start()
    client.back_by_post(error="access_denied")
    assert client.ask("GET", CALLBACK).error["code"] == "sign_in_refused"


def test_only_a_form_of_a_bearable_size_is_taken() -> None:
    client = posting()
    client.start()
    assert client.back_by_post(code="x" * 2_500).status == 303
    assert client.back_by_post(code="x" * 3_500).error["code"] == "sign_in_too_long"
    assert client.back_by_post(code="x" * 20_000).status == 413
    path, form = CALLBACK, {"content_type": "application/x-www-form-urlencoded"}
    assert client.ask("POST", path, {"state": client.shown["state"]}).status == 415
    for text in (b"", b"state=%ff", b"\xff\x00", b"&".join(b"a%d=1" % number for number in range(100))):
        assert client.ask("POST", path, text, **form).status == 400
