"""What could take an account over asks for all again that signing in asks for (ASVS V7.5.1)."""

from __future__ import annotations

from typing import Any

import pytest

from lib.sign_in import recovery_codes, second_factor, second_factor_store, totp
from lib.store.tenant import Person
from tests.unit.fakes import NOW, run
from tests.unit.sign_in.browser import Browser, browser
from tests.unit.sign_in.people import EMAIL, PASSWORD
from tests.unit.sign_in.signing_up import ME, join
from tests.unit.world import Answer

SECRET = b"12345678901234567890"
LOGINS = f"{ME}/logins"
DEEDS: dict[str, tuple[str, str, dict[str, str], str]] = {  # method, path, body, and which field the password is
    "password": (
        "POST",
        f"{ME}/actions/change_password",
        {"new_password": "ten lives for kittens"},
        "current_password",
    ),
    "address": ("POST", f"{ME}/actions/change_email", {"email": "new@wonder.example"}, "password"),
    "add a login": ("POST", LOGINS, {"provider": "acme"}, "password"),
    "remove a login": ("DELETE", f"{LOGINS}/{{id}}", {}, "password"),
    "account": ("DELETE", ME, {}, "password"),
}


def switch_codes_on(client: Browser, user_id: str) -> tuple[str, str]:
    """Return the code of now, and a recovery code."""
    parts = client.world.parts
    sealed, [recovery, *_] = run(second_factor.seal(parts, user_id, SECRET)), recovery_codes.new_codes()
    hashed = recovery_codes.code_hash(recovery, user_id, parts.pepper)
    group = [
        second_factor_store.begin(user_id, sealed, NOW),
        *second_factor_store.confirm(user_id, sealed, 0, [hashed], NOW),
    ]
    run(parts.database.batch(Person(user_id), group))
    return totp.code_at(SECRET, int(client.world.clock.now().timestamp()) // 30), recovery


def signed_in(*, password: bool = True) -> tuple[Browser, str, str]:
    """Return a browser of somebody with codes, who has a way in at a provider; the code of now, and a recovery code."""
    client = browser()
    if password:
        join(client.world)
    assert client.sign_in().status == 303
    return client, *switch_codes_on(client, client.session()["user_id"])


def ask(client: Browser, deed: str, password: str | None = PASSWORD, code: str | None = None) -> Answer:
    method, path, body, field = DEEDS[deed]
    [login] = client.world.binding.rows("SELECT id FROM logins")
    shown = {field: password, "totp_code": code}
    sent = body | {name: text for name, text in shown.items() if text is not None}
    token = client.session()["csrf_token"]
    return client.ask(method, path.format(id=login["id"]), sent, x_csrf_token=token, sec_fetch_site="same-origin")


def kept(client: Browser) -> list[dict[str, Any]]:
    binding = client.world.binding
    return [*binding.rows("SELECT * FROM users"), *binding.rows("SELECT * FROM logins"), *binding.rows(
        "SELECT * FROM mail_tokens"
    )]  # fmt: skip


def error(answer: Answer) -> tuple[int, str]:
    return answer.status, str(answer.error["code"])


@pytest.mark.parametrize("deed", DEEDS)
def test_a_code_is_asked_for_beside_the_password(deed: str) -> None:
    """Neither is enough alone; a code that came with a wrong password is not used up."""
    client, code, _ = signed_in()
    before = kept(client)
    assert error(ask(client, deed)) == (403, "totp_required")
    assert error(ask(client, deed, code="000000")) == (422, "wrong_code")
    assert error(ask(client, deed, "a wrong password", code)) == (403, "wrong_password")
    assert kept(client) == before
    assert ask(client, deed, code=code).status in (200, 202, 204)


@pytest.mark.parametrize("deed", DEEDS)
def test_a_recovery_code_does_too(deed: str) -> None:
    """Once."""
    client, _, recovery = signed_in()
    assert ask(client, deed, code=recovery).status in (200, 202, 204)
    assert client.world.binding.rows("SELECT 1 FROM recovery_codes WHERE used_at IS NULL") == []


@pytest.mark.parametrize("deed", DEEDS)
def test_guessing_codes_is_slowed_here_too(deed: str) -> None:
    client, code, _ = signed_in()
    user_id = client.session()["user_id"]
    ask(client, deed, code="000000")
    assert ("totp", user_id, None) in client.world.people.guard.failures
    client.world.people.guard.closed.add(("totp", user_id))
    assert ask(client, deed, code=code).status == 429


@pytest.mark.parametrize("deed", ["add a login", "remove a login"])
def test_without_a_password_a_young_session_and_a_code(deed: str) -> None:
    """One that is older was perhaps found open: its person signs in again."""
    client, code, _ = signed_in(password=False)
    assert error(ask(client, deed, None)) == (403, "totp_required")
    client.world.clock.advance(minutes=11)
    assert error(ask(client, deed, None, code)) == (403, "sign_in_again")
    client.world.clock.advance(minutes=-11)
    answer = ask(client, deed, None, code)
    assert answer.status == 200 or error(answer) == (409, "last_login")


def test_ending_all_sessions_asks_for_a_code_once_the_own_is_old() -> None:
    """Within ten minutes of signing in, which has asked for all of it, nothing is asked again."""
    client, _, recovery = signed_in()
    client.world.clock.advance(minutes=11)

    def end_all(**shown: str) -> Answer:
        token = client.session()["csrf_token"]
        sent = {"x_csrf_token": token, "sec_fetch_site": "same-origin"}
        return client.ask("DELETE", "/api/v1/sessions/all", shown, **sent)

    assert error(end_all(password=PASSWORD)) == (403, "totp_required")
    assert error(end_all(totp_code=recovery)) == (403, "wrong_password")
    assert end_all(password=PASSWORD, totp_code=recovery).status == 204
    assert client.session() is None


def test_without_a_password_one_signs_in_again_to_end_all_sessions() -> None:
    client = browser()
    client.sign_in()
    client.world.clock.advance(minutes=11)
    sent = {"x_csrf_token": client.session()["csrf_token"], "sec_fetch_site": "same-origin"}
    assert error(client.ask("DELETE", "/api/v1/sessions/all", **sent)) == (403, "sign_in_again")
    client.sign_in()
    sent["x_csrf_token"] = client.session()["csrf_token"]
    assert client.ask("DELETE", "/api/v1/sessions/all", **sent).status == 204


@pytest.mark.parametrize("deed", ["password", "address", "account"])
def test_who_has_no_password_sets_one_first(deed: str) -> None:
    """By a mail to the address that the account has: a found session does not read that."""
    client, code, _ = signed_in(password=False)
    before = kept(client)
    assert error(ask(client, deed, "a guess", code)) == (403, "wrong_password")
    assert kept(client) == before


def test_a_way_in_is_not_removed_by_whoever_finds_a_session() -> None:
    """Also where there are no codes."""
    client = browser()
    join(client.world)
    client.sign_in()
    assert error(ask(client, "remove a login", None)) == (403, "wrong_password")
    assert ask(client, "remove a login").status == 204
    assert client.world.binding.rows("SELECT email FROM users") == [{"email": EMAIL}]
