"""Signing in with others, from the first request to the session: whose account it is, and whose it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lib.config import SignUp
from lib.sign_in import second_factor, totp
from lib.sign_in.sign_in_cookies import ATTEMPT_COOKIE, CODE_COOKIE
from tests.unit.fakes import NOW, run
from tests.unit.sign_in.browser import AUTH, PRESSED, PUBLIC_URL, Browser, browser
from tests.unit.sign_in.fake_issuer import ISSUER, answer
from tests.unit.sign_in.people import EMAIL, PASSWORD
from tests.unit.sign_in.signing_up import events, join, row, sign_up

SESSION_COOKIE = "__Host-headgate"
TOTP_SECRET = b"12345678901234567890"


def logins(browser: Browser) -> list[dict[str, Any]]:
    return browser.world.binding.rows("SELECT * FROM logins ORDER BY id")


def code(answer: Any) -> str:
    return str(answer.error["code"])


def with_codes(browser: Browser, user_id: str) -> str:
    """Switch codes at sign-in on; return the code of now."""
    sealed = run(second_factor.seal(browser.world.parts, user_id, TOTP_SECRET))
    browser.world.binding.rows(
        "UPDATE users SET totp_sealed = ?, totp_confirmed_at = ? WHERE id = ? RETURNING id", sealed, str(NOW), user_id
    )
    return totp.code_at(TOTP_SECRET, int(NOW.timestamp()) // 30)


def test_the_providers_are_listed() -> None:
    assert browser().ask("GET", AUTH).data == {"providers": ["acme", "other"]}
    assert code(browser().start("unknown")) == "not_found"


def test_the_way_there_keeps_its_secrets_in_one_short_lived_cookie() -> None:
    """`__Host-`, HttpOnly, Secure, Lax: no script, no sibling host and no other site's form has it."""
    client = browser()
    begun = client.start()
    assert begun.status == 303
    assert begun.headers["location"].startswith(f"{ISSUER}/auth?")
    assert begun.headers["cache-control"] == "no-store"
    name, _, attributes = begun.headers["set-cookie"].partition("=")
    assert name == ATTEMPT_COOKIE
    assert attributes.partition("; ")[2] == "Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax"
    assert client.shown["state"] not in begun.headers["set-cookie"]


@pytest.mark.parametrize(
    "said",
    [
        {"sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"},
        {"sec_fetch_mode": "cors", "sec_fetch_dest": "empty"},
        {"sec_fetch_dest": "iframe"},
        {"sec_fetch_dest": "object", "sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "cross-site", "sec_fetch_user": ""},
        {"sec_fetch_site": "same-site", "sec_fetch_user": "?0"},
        {"sec_fetch_site": "none", "sec_fetch_user": ""},
        {"sec_purpose": "prefetch;prerender"},
    ],
)
def test_nothing_but_a_person_begins_it(said: dict[str, str]) -> None:
    """ASVS V7.6.2: no image, frame or script of any page, no redirect of another site, no browser that looks ahead."""
    client = browser()
    answer = client.led(PRESSED | said)
    assert (answer.status, code(answer)) == (403, "navigation_required")
    assert client.cookies == {}


@pytest.mark.parametrize(
    ("said", "prompt"),
    [
        (PRESSED, None),
        (PRESSED | {"sec_fetch_user": ""}, None),  # a page of ours leads on by itself
        (PRESSED | {"sec_fetch_site": "cross-site"}, "login"),
        (PRESSED | {"sec_fetch_site": "same-site"}, "login"),
        (PRESSED | {"sec_fetch_site": "none"}, "login"),  # as from a mail
        ({}, "login"),  # an old browser does not tell whose page it was
    ],
)
def test_who_was_led_here_by_anothers_link_is_asked_there(said: dict[str, str], prompt: str | None) -> None:
    """Else a link of any page would sign in whoever is signed in at the provider."""
    client = browser()
    assert client.led(said).status == 303
    assert client.shown.get("prompt") == prompt


APP = "https://app.example"


@pytest.mark.parametrize(
    ("referer", "trusted"),
    [
        (f"{APP}/", True),
        (f"{APP}/sign-in?x=https://evil.example", True),
        ("https://evil.example/", False),
        (f"https://evil.example/{APP}", False),
        (f"{APP}.evil.example/", False),
        ("https://app.example@evil.example/", False),
        ("http://app.example/", False),
        ("https://[evil", False),
        ("", False),
    ],
)
def test_a_page_of_the_list_leads_here_as_ours_do(referer: str, trusted: bool) -> None:
    """CORS_ORIGINS are the deployment's own pages elsewhere: they lead on by themselves, and nobody is asked again."""
    client = browser()
    config = client.world.parts.config
    config = replace(config, session=replace(config.session, cors_origins=frozenset({APP})))
    client.world.parts = replace(client.world.parts, config=config)
    said = PRESSED | {"sec_fetch_site": "cross-site", "referer": referer}
    assert client.led(said).status == 303
    assert client.shown.get("prompt") == (None if trusted else "login")
    assert client.led(said | {"sec_fetch_user": ""}).status == (303 if trusted else 403)


def test_a_new_person_is_signed_up_and_signed_in() -> None:
    """The address is verified, since the provider has verified it; there is no password; it belongs somewhere."""
    client = browser()
    back = client.sign_in()
    assert (back.status, back.headers["location"]) == (303, f"{PUBLIC_URL}/api/v1/sessions/current")
    user = row(client.world)
    assert (user["name"], user["password_hash"]) == ("Alice", None)
    assert user["email_verified_at"] is not None
    session = client.session()
    assert (session["user_id"], session["org_id"] is not None) == (user["id"], True)
    [login] = logins(client)
    assert (login["user_id"], login["issuer"], login["subject"]) == (user["id"], ISSUER, "alice")
    assert [action for action, _ in events(client.world, user["id"])][:1] == ["user.signed_up"]
    assert ATTEMPT_COOKIE not in client.cookies


def test_the_same_person_comes_again_whatever_its_address_is_now() -> None:
    """Issuer and subject name it. An address changes hands; it is looked at once, when the login is added."""
    client = browser()
    client.sign_in()
    client.issuer.claims = {"email": "married@wonder.example", "email_verified": False}
    again = client.other()
    assert again.sign_in().status == 303
    assert again.session()["user_id"] == row(client.world)["id"]
    assert len(logins(client)) == 1


def test_another_subject_is_another_person() -> None:
    client = browser()
    client.sign_in()
    client.issuer.claims = {"sub": "bob", "email": "bob@wonder.example"}
    other = client.other()
    other.sign_in()
    assert other.session()["user_id"] != client.session()["user_id"]


def test_the_browser_goes_where_it_wanted_to_on_this_host() -> None:
    client = browser()
    assert client.sign_in(return_to="/app?x=1#here").headers["location"] == f"{PUBLIC_URL}/app?x=1#here"
    for elsewhere in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        assert client.start(return_to=elsewhere).status == 400


def test_an_account_is_linked_where_both_sides_have_verified_the_address() -> None:
    """Its password stays, and it is told in the person's own log."""
    client = browser()
    user_id = join(client.world)
    assert client.sign_in().status == 303
    assert client.session()["user_id"] == user_id
    assert row(client.world)["password_hash"] is not None
    assert ("login.added", "ok") in events(client.world, user_id)


@pytest.mark.parametrize(
    "claims", [{"email_verified": False}, {"email_verified": None}, {"email": None}, {"email": "x"}]
)
def test_an_address_that_the_provider_has_not_verified_opens_nothing(claims: dict[str, Any]) -> None:
    """Neither an account that there is nor a new one; and the answer does not tell which there is."""
    client = browser(**claims)
    client.issuer.userinfo = {"sub": "alice"}
    assert code(client.sign_in()) == "email_not_verified"
    join(client.world)
    assert code(client.sign_in()) == "email_not_verified"
    assert logins(client) == []
    assert client.session() is None


def test_an_account_that_nobody_has_confirmed_is_not_linked() -> None:
    """Pre-hijacking: a stranger has made it with the owner's address and waits inside, with a password."""
    client = browser()
    sign_up(client.world, EMAIL, "the password of a stranger")
    answer = client.sign_in()
    assert (answer.status, code(answer)) == (409, "account_not_verified")
    assert (logins(client), client.session()) == ([], None)


@pytest.mark.parametrize(
    ("way", "domains", "refusal"),
    [
        (SignUp.INVITATION, (), "invitation_required"),
        (SignUp.DOMAIN, ("other.example",), "domain_not_allowed"),
        (SignUp.DOMAIN, ("example",), "domain_not_allowed"),
    ],
)
def test_nobody_gets_in_who_could_not_sign_up(way: SignUp, domains: tuple[str, ...], refusal: str) -> None:
    client = browser(way, *domains)
    answer = client.sign_in()
    assert (answer.status, code(answer)) == (403, refusal)
    assert client.world.binding.rows("SELECT 1 FROM users WHERE email = ?", EMAIL) == []


def test_an_address_of_an_allowed_domain_signs_up() -> None:
    assert browser(SignUp.DOMAIN, "wonder.example").sign_in().status == 303


def test_an_invitation_lets_in_whom_it_is_for() -> None:
    """And makes it a member; with another's it stays outside, account or not."""
    client = browser(SignUp.INVITATION)
    assert client.sign_in_invited("invited").status == 303
    accepted = client.world.parts.invitations.accepted  # type: ignore[attr-defined]
    assert accepted == [row(client.world)["id"]]
    assert code(client.other().sign_in_invited("made up")) == "invalid_invitation"
    client.issuer.claims = {"sub": "bob", "email": "bob@wonder.example"}
    assert code(client.other().sign_in_invited("invited")) == "invalid_invitation"


def test_another_sites_script_begins_nothing() -> None:
    """Nor does an invitation stand in an address, where logs would keep it."""
    path, body = f"{AUTH}/acme/start", {"invitation": "invited"}
    for said in ({"origin": "https://evil.example"}, {"sec_fetch_site": "cross-site"}):
        assert code(browser().ask("POST", path, body, **said)) == "origin_not_allowed"
    assert browser().ask("POST", path, {"return_to": "//evil.example"}).status == 400
    assert code(browser(SignUp.INVITATION).sign_in(invitation="invited")) == "invitation_required"


def test_a_browser_that_has_not_begun_it_is_not_signed_in() -> None:
    """Login CSRF: a stranger's code, brought to somebody by a link, signs nobody in as the stranger."""
    client = browser()
    client.start()
    victim = client.other()
    victim.shown = client.shown
    answer = victim.back()
    assert (answer.status, code(answer)) == (400, "sign_in_expired")
    assert not client.issuer.looks("/token")


def test_an_answer_with_another_state_is_refused_and_the_attempt_goes_on() -> None:
    """A stranger's link does not end it either."""
    client = browser()
    client.start()
    assert code(client.back(state="another")) == "sign_in_expired"
    assert client.back().status == 303


def test_one_providers_answer_is_not_brought_to_another() -> None:
    """Mix-up (RFC 9700, 4.4): each has its own address to come back to, and may name itself."""
    client = browser()
    client.start()
    assert code(client.back("other")) == "sign_in_expired"
    assert code(client.back(iss="https://evil.example")) == "identity_provider"
    assert not client.issuer.looks("/token")


def test_an_attempt_works_once() -> None:
    """Also for whoever has kept the cookie, and even if the provider took its code twice."""
    client = browser()
    client.start()
    kept = dict(client.cookies)
    assert client.back().status == 303
    thief = client.other()
    thief.cookies, thief.shown = kept, client.shown
    answer = thief.back()
    assert (answer.status, code(answer)) == (409, "login_taken")
    assert SESSION_COOKIE not in thief.cookies


def test_a_failed_attempt_is_over() -> None:
    """The cookie goes with the refusal."""
    client = browser()
    client.start()
    assert client.back(error="access_denied").status == 403
    assert ATTEMPT_COOKIE not in client.cookies
    assert code(client.back()) == "sign_in_expired"


def test_what_the_provider_says_of_a_refusal_is_not_echoed_unread() -> None:
    client = browser()
    client.start()
    shown = client.back(error="<script>alert(1)</script>").error["message"]
    assert "script" not in shown
    client.start()
    assert "access_denied" in client.back(error="access_denied").error["message"]


def test_a_wrong_answer_of_the_provider_is_told_in_the_log_alone() -> None:
    """502, counted against guessing; what was wrong would help whoever tries."""
    client = browser(nonce="another")
    answer = client.sign_in()
    assert (answer.status, code(answer)) == (502, "identity_provider")
    assert "another attempt" not in str(answer.body)
    assert answer.facts["reason"] == "ID token: made for another attempt"
    assert [purpose for purpose, *_ in client.world.people.guard.failures] == ["sign_in_with"]


def test_whoever_tries_too_often_waits() -> None:
    client = browser()
    client.start()
    client.world.people.guard.closed.add(("sign_in_with", ""))
    assert client.back().status == 429
    assert not client.issuer.looks("/token")


def test_who_has_come_back_well_counts_no_more_for_its_network() -> None:
    client = browser()
    client.world.people.guard.failures.append(("sign_in_with", "", None))
    assert client.sign_in().status == 303
    assert client.world.people.guard.failures == []


def test_a_provider_that_is_away_is_not_our_defect() -> None:
    client = browser()
    client.issuer.answers[f"{ISSUER}/.well-known/openid-configuration"] = answer({}, 503)
    began = client.start()
    assert (began.status, code(began)) == (502, "identity_provider")


def test_a_deleted_account_is_closed() -> None:
    client = browser()
    client.sign_in()
    client.world.binding.rows("UPDATE users SET deleted_at = ? WHERE email = ? RETURNING id", str(NOW), EMAIL)
    assert code(client.other().sign_in()) == "account_closed"


def test_a_session_from_before_ends() -> None:
    """Fixation: what the browser had until then never becomes the signed-in session."""
    client = browser()
    client.sign_in()
    before = client.cookies[SESSION_COOKIE]
    client.sign_in()
    old = client.other()
    old.cookies = {SESSION_COOKIE: before}
    assert old.session() is None
    assert client.session() is not None


def test_who_has_codes_shows_one_here_too() -> None:
    """The second factor is the account's: no provider replaces it."""
    client = browser()
    user_id = join(client.world)
    totp_code = with_codes(client, user_id)
    back = client.sign_in(return_to="/app?x=1#here")
    assert back.headers["location"] == f"{PUBLIC_URL}/app?x=1&sign_in=totp_required#here"
    assert client.session() is None
    wrong = client.ask("POST", f"{AUTH}/actions/show_code", {"totp_code": "000000"})
    assert (wrong.status, code(wrong)) == (401, "invalid_credentials")
    assert events(client.world, user_id)[-1] == ("user.sign_in_failed", "denied")
    assert client.ask("POST", f"{AUTH}/actions/show_code", {"totp_code": totp_code}).status == 204
    assert client.session()["user_id"] == user_id
    assert CODE_COOKIE not in client.cookies


def test_a_code_alone_is_not_enough() -> None:
    client = browser()
    totp_code = with_codes(client, join(client.world))
    assert code(client.ask("POST", f"{AUTH}/actions/show_code", {"totp_code": totp_code})) == "sign_in_expired"
    client.sign_in()
    client.world.clock.advance(minutes=5)
    assert code(client.ask("POST", f"{AUTH}/actions/show_code", {"totp_code": totp_code})) == "sign_in_expired"


def test_another_sites_page_shows_no_code() -> None:
    client = browser()
    totp_code = with_codes(client, join(client.world))
    client.sign_in()
    sent = {"origin": "https://evil.example", "sec_fetch_site": "cross-site"}
    shown = client.ask("POST", f"{AUTH}/actions/show_code", {"totp_code": totp_code}, **sent)
    assert (shown.status, client.session()) == (403, None)


def test_no_secret_of_the_provider_is_stored() -> None:
    """Codes, tokens and secrets are used and forgotten; the address by which a login is found is a keyed hash."""
    client = browser()
    client.sign_in()
    dump = str([client.world.binding.rows(f"SELECT * FROM {table}") for table in ("logins", "users", "person_events")])
    shown = client.shown
    assert not [text for text in ("the code", shown["state"], shown["nonce"], "s3cret") if text in dump]


def test_a_provider_that_was_taken_off_the_list_ends_its_attempts() -> None:
    client = browser()
    client.start()
    client.world.parts = replace(client.world.parts, issuers={})
    assert client.back().status == 404


def test_the_password_is_not_needed_for_any_of_it() -> None:
    """An account that has one is opened without: that is what linking means."""
    client = browser()
    join(client.world, EMAIL, PASSWORD)
    hashed = client.world.people.hasher.verified
    client.sign_in()
    assert client.world.people.hasher.verified == hashed
