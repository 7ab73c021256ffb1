"""HEADGATE_SECRET is another: what hangs on the old one holds while both are known, and moves when it is used."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lib.defence.shield import Shield
from lib.gateway.callers.callers import Callers
from lib.kernel.errors import HeadgateError
from lib.sign_in import second_factor, sign_in_cookies
from lib.sign_in.passwords import Passwords
from lib.tokens import access_tokens, grants, jwt
from lib.tokens.signing_keys import SigningKeys
from lib.users import account_store
from lib.web.idempotency import ABANDONED, KEPT
from tests.unit.fakes import run
from tests.unit.sign_in import browser as other_ways
from tests.unit.sign_in import test_second_factor as codes
from tests.unit.sign_in.cpython_signatures import CPythonSignatures
from tests.unit.sign_in.people import CONTEXT, EMAIL, PASSWORD
from tests.unit.sign_in.signed_in import new_person
from tests.unit.sign_in.signing_up import act, join, open_world, row, sign_in
from tests.unit.store.seeds import PEPPER
from tests.unit.world import World, new_world

OLD, NEW = "s" * 32, "n" * 32
KEYS = "/api/v1/keys"


def rotate(world: World, *, overlap: bool = True) -> None:
    """Start a new isolate with the new secret, and with the old one beside it, or without."""
    world.clock.advance(seconds=1)
    parts, older = world.parts, (OLD,) if overlap else ()
    passwords = parts.passwords
    world.parts = replace(
        parts,
        config=replace(parts.config, secret=NEW, older_secrets=older),
        pepper=b"new pepper",
        older=(PEPPER,) if overlap else (),
        passwords=Passwords(passwords.hasher, NEW, passwords.cost, passwords.min_length, older),
        tokens=SigningKeys(CPythonSignatures()),
        callers=Callers(),
        shield=Shield(),
    )


def test_an_api_key_moves_when_it_is_used() -> None:
    """By the store and by the cache of the AI API's callers; one that nobody used ends with the old secret."""
    world = new_world()
    managing, calling, unused = (world.new_key("keys:read", "models:read") for _ in range(3))
    rotate(world)
    assert world.ask("GET", KEYS, key=managing.secret).status == 200
    assert world.ask("GET", "/v1/models", key=calling.secret).status == 200
    rotate(world, overlap=False)
    assert world.ask("GET", KEYS, key=managing.secret).status == 200
    assert world.ask("GET", "/v1/models", key=calling.secret).status == 200
    assert world.ask("GET", KEYS, key=unused.secret).status == 401


def test_a_leaked_key_is_found_under_the_old_secret_too() -> None:
    world = new_world()
    leaked = world.new_key("keys:read").secret
    rotate(world)
    assert world.ask("POST", f"{KEYS}/actions/report_leak", {"key": leaked}, key=None).status in (202, 204)
    assert world.ask("GET", KEYS, key=leaked).status == 401


def test_a_password_moves_at_the_next_sign_in() -> None:
    """The account's hash names its secret; a wrong password is wrong, and costs what one of nobody costs."""
    world = open_world()
    join(world)
    before = str(row(world)["password_hash"])
    rotate(world)
    hasher = world.people.hasher
    done = []
    for email in (EMAIL, "nobody@wonder.example"):
        count = hasher.verified
        with pytest.raises(HeadgateError):
            sign_in(world, email=email, password="wrong horse battery")
        done.append(hasher.verified - count)
    assert done == [2, 2]
    sign_in(world)
    after = str(row(world)["password_hash"])
    assert after != before
    rotate(world, overlap=False)
    sign_in(world)
    assert str(row(world)["password_hash"]) == after


def test_an_authenticator_moves_and_recovery_codes_hold() -> None:
    """Its secret is sealed anew when a code of it is right."""
    world = open_world()
    user_id, secret, recovery = codes.enrolled(world)
    rotate(world)
    sign_in(world, code=recovery[0])
    sealed = str(row(world)["totp_sealed"])
    rotate(world, overlap=False)
    assert run(second_factor.opened(world.parts, user_id, sealed)) == secret
    world.clock.advance(seconds=60)
    sign_in(world, code=codes.code(world, secret))
    assert codes.refused(world, recovery[1]) == "invalid_credentials"


def test_a_browser_stays_signed_in() -> None:
    """With the CSRF token that its page holds, and with the one that it is told now."""
    world, browser = new_person()
    rotate(world)
    assert browser.ask("GET", "/api/v1/me").status == 200
    told = browser.ask("GET", "/api/v1/sessions/current").data["csrf_token"]
    assert told != browser.csrf
    for token in (browser.csrf, told):
        assert browser.ask("POST", "/api/v1/orgs", {"name": "x"}, csrf=token).status == 201
    assert browser.ask("POST", "/api/v1/orgs", {"name": "x"}, csrf="0" * 64).status == 403
    rotate(world, overlap=False)
    assert browser.ask("GET", "/api/v1/me").status == 401


def test_an_app_stays_signed_in() -> None:
    """Its access token can be verified; its refresh token gives one that hangs on the new secret, signed by a key that
    is sealed under it: at once, and also where the old secret is not known any more.
    """
    world, browser = new_person()
    user = run(account_store.get(world.parts.database, browser.user_id))
    assert user is not None
    first = run(grants.grant(world.parts, user, world.org_id))
    rotate(world)
    assert world.ask("GET", "/api/v1/me", key=first.access_token).status == 200
    second = run(grants.refresh(world.parts, first.refresh_token, None, CONTEXT))
    rotate(world, overlap=False)
    third = run(grants.refresh(world.parts, second.refresh_token, None, CONTEXT))
    for token in (first, second, third):
        run(access_tokens.verify(world.parts, jwt.parse(token.access_token)))
    assert len({jwt.parse(token.access_token).key_id for token in (first, second, third)}) == 2


def test_isolates_of_before_and_after_do_not_make_keys_in_turns() -> None:
    """While a new secret is rolled out, which may take hours, each signs with its own, and finds it again."""
    world = new_world()
    before = world.parts
    rotate(world)
    for _ in range(4):
        for parts in (before, world.parts):
            run(parts.tokens.signing(parts))
        world.clock.advance(minutes=6)
    assert len(world.binding.rows("SELECT id FROM signing_keys")) == 2


def test_links_of_mails_work() -> None:
    world = open_world()
    join(world)
    assert act(world, "request_password_reset", email=EMAIL).status == 202
    token = world.people.mailer.token()
    rotate(world)
    assert act(world, "reset_password", token=token, password="another long enough").status == 204


def test_a_way_in_moves_when_it_is_used() -> None:
    """And what a browser carries meanwhile can be opened."""
    client = other_ways.browser()
    assert client.sign_in().status == 303
    client.start()
    rotate(client.world)
    assert client.other().sign_in().status == 303
    rotate(client.world, overlap=False)
    assert client.other().sign_in().status == 303
    assert len(client.world.binding.rows("SELECT id FROM logins")) == 1


def test_a_cookie_of_a_sign_in_under_way_is_opened() -> None:
    world = new_world()
    value = run(sign_in_cookies.seal_code_wanted(world.parts, "u", 0, None))
    rotate(world)
    assert run(sign_in_cookies.open_code_wanted(world.parts, value)).user_id == "u"
    rotate(world, overlap=False)
    with pytest.raises(HeadgateError):
        run(sign_in_cookies.open_code_wanted(world.parts, value))


def test_a_request_that_is_repeated_is_answered_once() -> None:
    """Also where the first one came before the secret was another."""
    world = new_world()
    once = {"idempotency-key": "k"}
    first = world.ask("POST", KEYS, {"name": "x"}, headers=once)
    rotate(world)
    assert world.ask("POST", KEYS, {"name": "x"}, headers=once).data == first.data
    assert world.ask("POST", KEYS, {"name": "y"}, headers=once).status == 422
    assert world.ask("POST", KEYS, {"name": "y"}, headers={"idempotency-key": "l"}).status == 201


@pytest.mark.parametrize(
    ("answer", "age"), [("NULL", ABANDONED), ("answer", KEPT)], ids=["died with its isolate", "of yesterday"]
)
def test_what_came_before_the_secret_holds_no_longer_than_else(answer: str, age: timedelta) -> None:
    world = new_world()
    once = {"idempotency-key": "k"}
    first = world.ask("POST", KEYS, {"name": "x"}, headers=once)
    world.binding.connection.execute(f"UPDATE idempotent_answers SET answer = {answer}")
    rotate(world)
    world.clock.advance(seconds=age.total_seconds() + 1)
    again = world.ask("POST", KEYS, {"name": "x"}, headers=once)
    assert (again.status, again.data["id"] != first.data["id"]) == (201, True)


def test_no_secret_is_shown() -> None:
    world = new_world()
    rotate(world)
    assert NEW not in repr(world.parts.config)
    assert OLD not in repr(world.parts.config)
    assert PASSWORD not in repr(world.parts.passwords)
    assert OLD not in repr(world.parts.passwords)
