"""Codes at sign-in, from the first secret to switching them off."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from lib.kernel.errors import HeadgateError
from lib.sign_in import totp
from tests.unit.sign_in.people import CONTEXT, EMAIL, PASSWORD
from tests.unit.sign_in.signing_up import ME, events, join, open_world, row, sign_in
from tests.unit.sign_in.signing_up import act as do
from tests.unit.world import Answer, World


def act(world: World, user_id: str, action: str, **fields: object) -> Answer:
    return world.ask_as(user_id, "POST", f"{ME}/actions/{action}", fields)


def begun(world: World, user_id: str) -> bytes:
    answer = act(world, user_id, "begin_totp", password=PASSWORD)
    assert answer.status == 200
    return base64.b32decode(answer.data["secret"])


def code(world: World, secret: bytes, steps: int = 0) -> str:
    return totp.code_at(secret, int(world.clock.now().timestamp()) // 30 + steps)


def enrolled(world: World) -> tuple[str, bytes, list[str]]:
    """Return somebody with codes on: its id, secret and recovery codes."""
    user_id = join(world)
    secret = begun(world, user_id)
    answer = act(world, user_id, "confirm_totp", code=code(world, secret))
    assert answer.status == 200
    world.clock.advance(seconds=60)
    return user_id, secret, answer.data["recovery_codes"]


def refused(world: World, given: str | None) -> str:
    with pytest.raises(HeadgateError) as failure:
        sign_in(world, code=given)
    return failure.value.code


def test_codes_are_switched_on_with_a_code() -> None:
    """Not by the secret alone: an authenticator that did not take it would lock its owner out."""
    world = open_world()
    user_id = join(world)
    secret = begun(world, user_id)
    sign_in(world)
    assert act(world, user_id, "confirm_totp", code=code(world, secret, 5)).error["code"] == "wrong_code"
    answer = act(world, user_id, "confirm_totp", code=code(world, secret))
    assert len(answer.data["recovery_codes"]) == 10
    assert world.ask_as(user_id, "GET", ME).data["totp_enabled"]
    assert world.people.mailer.subjects()[-1] == (EMAIL, "Codes at sign-in are on")


def test_signing_in_needs_a_code_then() -> None:
    """Told only to whoever knows the password; a wrong code is refused as a wrong password is."""
    world = open_world()
    user_id, secret, _ = enrolled(world)
    assert refused(world, None) == "totp_required"
    assert refused(world, "000000") == "invalid_credentials"
    with pytest.raises(HeadgateError) as failure:
        sign_in(world, password="a wrong password")
    assert failure.value.code == "invalid_credentials"
    given = code(world, secret)
    assert sign_in(world, code=f"{given[:3]} {given[3:]}").id == user_id


def test_a_code_works_once() -> None:
    """Also in two requests at once: the store decides. The next one works."""
    world = open_world()
    _, secret, _ = enrolled(world)
    given = code(world, secret)
    sign_in(world, code=given)
    assert refused(world, given) == "invalid_credentials"
    world.clock.advance(seconds=30)
    sign_in(world, code=code(world, secret))


def test_the_store_lets_one_of_two_in() -> None:
    """Both have read the account before either has used the code."""
    world = open_world()
    user_id, secret, _ = enrolled(world)
    given = code(world, secret)

    def beaten() -> None:
        if "SET totp_step" in world.binding.statements[-1][0]:
            world.binding.rows("UPDATE users SET totp_step = ? WHERE id = ?", 10**9, user_id)

    world.binding.on_batch = beaten
    assert refused(world, given) == "invalid_credentials"


def test_a_recovery_code_works_once() -> None:
    """In the place of a code, typed in whatever way."""
    world = open_world()
    user_id, _, recovery = enrolled(world)
    assert sign_in(world, code=recovery[3].upper().replace("-", " ")).id == user_id
    assert refused(world, recovery[3]) == "invalid_credentials"
    assert sign_in(world, code=recovery[4]).id == user_id


def test_codes_are_counted_by_account() -> None:
    """By its id, not its address: only who knows the password can delay its owner."""
    world = open_world()
    user_id, secret, _ = enrolled(world)
    refused(world, "000000")
    assert ("totp", user_id, CONTEXT.address) in world.people.guard.failures
    world.people.guard.closed.add(("totp", user_id))
    assert refused(world, code(world, secret)) == "limit_reached"


def test_nothing_of_it_can_be_read_in_the_store() -> None:
    """The secret is sealed for this person, recovery codes are hashes."""
    world = open_world()
    user_id, secret, recovery = enrolled(world)
    kept = str(world.binding.rows("SELECT * FROM users")) + str(world.binding.rows("SELECT * FROM recovery_codes"))
    assert base64.b32encode(secret).decode() not in kept
    assert base64.b64encode(secret).decode() not in kept
    assert not [text for text in recovery if text in kept or text.replace("-", "") in kept]
    assert len(world.binding.rows("SELECT * FROM recovery_codes WHERE user_id = ?", user_id)) == 10


def test_a_sealed_secret_is_of_no_use_in_another_row() -> None:
    """Whoever may write to the database can't give somebody else the own authenticator."""
    world = open_world()
    _, secret, _ = enrolled(world)
    sealed = row(world)["totp_sealed"]
    other = "bob@wonder.example"
    join(world, other)
    world.binding.rows(
        "UPDATE users SET totp_sealed = ?, totp_confirmed_at = email_verified_at WHERE email = ?", sealed, other
    )
    with pytest.raises(ValueError, match="any key"):
        sign_in(world, other, code=code(world, secret))


def test_switching_off_needs_password_and_code() -> None:
    """Then none is asked for any more, and the recovery codes are gone."""
    world = open_world()
    user_id, secret, recovery = enrolled(world)
    wrong: list[dict[str, Any]] = [
        {"password": "a wrong password", "code": code(world, secret)},
        {"password": PASSWORD, "code": "000000"},
        {"password": PASSWORD, "code": "not a code"},
    ]
    for fields in wrong:
        assert act(world, user_id, "disable_totp", **fields).status in (403, 422)
    assert row(world)["totp_confirmed_at"] is not None
    assert act(world, user_id, "disable_totp", password=PASSWORD, code=recovery[0]).status == 204
    assert sign_in(world).id == user_id
    assert not world.binding.rows("SELECT * FROM recovery_codes")
    assert world.people.mailer.subjects()[-1] == (EMAIL, "Codes at sign-in are off")
    assert [action for action, _ in events(world, user_id)][-2:] == ["user.totp_disabled", "user.signed_in"]


def test_a_new_password_by_mail_leaves_codes_on() -> None:
    """ASVS V6.4.3: whoever reads the owner's mail has one factor, not both."""
    world = open_world()
    user_id, secret, _ = enrolled(world)
    assert do(world, "request_password_reset", email=EMAIL).status == 202
    token = world.people.mailer.token()
    assert do(world, "reset_password", token=token, password="ten lives for kittens").status == 204
    with pytest.raises(HeadgateError) as failure:
        sign_in(world, password="ten lives for kittens")
    assert failure.value.code == "totp_required"
    assert sign_in(world, password="ten lives for kittens", code=code(world, secret)).id == user_id


def test_what_is_on_is_not_begun_again() -> None:
    """Whoever finds an open session must not put the own authenticator in the place of the owner's."""
    world = open_world()
    user_id, secret, _ = enrolled(world)
    before = row(world)["totp_sealed"]
    assert act(world, user_id, "begin_totp", password=PASSWORD).error["code"] == "totp_enabled"
    assert act(world, user_id, "confirm_totp", code=code(world, secret)).error["code"] == "totp_enabled"
    assert row(world)["totp_sealed"] == before


def test_beginning_needs_the_password() -> None:
    """403, and counted as a sign-in that failed."""
    world = open_world()
    user_id = join(world)
    answer = act(world, user_id, "begin_totp", password="a wrong password")
    assert (answer.status, answer.error["code"]) == (403, "wrong_password")
    assert ("sign_in", EMAIL, None) in world.people.guard.failures
    assert row(world)["totp_sealed"] is None


def test_there_must_be_something_to_confirm_or_to_end() -> None:
    world = open_world()
    user_id = join(world)
    assert act(world, user_id, "confirm_totp", code="123456").error["code"] == "totp_not_begun"
    assert act(world, user_id, "disable_totp", password=PASSWORD, code="123456").error["code"] == "totp_not_enabled"


def test_of_two_who_confirm_one_gets_the_codes() -> None:
    """The other is told so, and the first one's codes stay good."""
    world = open_world()
    user_id = join(world)
    secret = begun(world, user_id)

    def beaten() -> None:
        if "SET totp_confirmed_at" in str(world.binding.statements[-13:]):
            world.binding.rows("UPDATE users SET totp_confirmed_at = '2026-05-04T12:00:00.000000Z'")

    world.binding.on_batch = beaten
    assert act(world, user_id, "confirm_totp", code=code(world, secret)).status == 409
    assert not world.binding.rows("SELECT * FROM recovery_codes")


def test_a_mail_tells_no_secret() -> None:
    world = open_world()
    _, secret, recovery = enrolled(world)
    sent = str(world.people.mailer.sent)
    assert base64.b32encode(secret).decode() not in sent
    assert not re.search("|".join(recovery), sent)
