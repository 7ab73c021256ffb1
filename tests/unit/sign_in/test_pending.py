"""What is pending of an account ends when its owner changes what it signs in with: nothing of before happens later.

Each thing is tried as it is, where it still works, and after each of the endings. Whatever else can be begun has to be
a row here.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from lib.http import cookies
from lib.issuers.issuer import Identity, Returned
from lib.kernel.errors import HeadgateError
from lib.sessions import sessions
from lib.sign_in import enrolment, second_factor_store, sign_in_cookies, sign_in_with
from lib.store.schema import UserRow
from lib.store.tenant import Person
from lib.tokens import grants
from tests.unit.fakes import FakeHeaders, run
from tests.unit.sign_in.people import CONTEXT, EMAIL, PASSWORD
from tests.unit.sign_in.signing_up import ME, act, events, join, open_world, row, sign_in
from tests.unit.world import World

NEW = "alice@glass.example"
CHOSEN = "ten lives for a cat"
USABLE = "usable"
# What somebody would do with it later: USABLE, or the code of the error.
Use = Callable[[], str]


def tried(work: Callable[[], object]) -> str:
    try:
        work()
    except HeadgateError as failure:
        return failure.code
    return USABLE


def posted(world: World, action: str, **fields: object) -> str:
    answer = act(world, action, **fields)
    return USABLE if answer.status == 204 else str(answer.error["code"])


def change(world: World, user_id: str, email: str = NEW) -> None:
    body = {"email": email, "password": PASSWORD}
    assert world.ask_as(user_id, "POST", f"{ME}/actions/change_email", body).status == 202


def new_address(world: World, user: UserRow) -> Use:
    change(world, user.id)
    token = world.people.mailer.token()
    return lambda: posted(world, "verify_email", token=token)


def forgotten_password(world: World, _user: UserRow) -> Use:
    act(world, "request_password_reset", email=EMAIL)
    token = world.people.mailer.token()
    return lambda: posted(world, "reset_password", token=token, password="another password of mine")


def half_a_sign_in(world: World, user: UserRow) -> Use:
    """With the invitation that it brings."""
    secret = world.parts.invitations.token  # type: ignore[attr-defined]
    value = run(sign_in_cookies.seal_code_wanted(world.parts, user.id, user.epoch, secret))
    headers = FakeHeaders({"cookie": f"{sign_in_cookies.CODE_COOKIE}={value}"})

    def use() -> str:
        done = tried(lambda: run(sign_in_with.show_code(world.parts, "123456", headers, CONTEXT)))
        return USABLE if done == "totp_not_enabled" else done  # it has got as far as to ask for the code

    return use


def another_way_in(world: World, user: UserRow) -> Use:
    now = world.clock.now()
    attempt = sign_in_cookies.new_attempt("acme", "/", now, user.id, epoch=user.epoch)

    async def identified(*_: object) -> Identity:
        return Identity("https://login.acme.example", "thief", None, False, None)

    async def signed_in(*_: object) -> None:
        """As somebody who has signed in anew in the same browser is."""

    def use() -> str:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(sign_in_with, "_identify", identified)
            patched.setattr(sign_in_with, "_still_signed_in", signed_in)
            back = sign_in_with.come_back(world.parts, attempt, Returned("code"), FakeHeaders({}), CONTEXT)
            return tried(lambda: run(back))

    return use


def session_under_way(world: World, user: UserRow) -> Use:
    """The password was right a moment ago."""
    return lambda: tried(lambda: run(sessions.begin(world.parts, user, "", CONTEXT, None)))


def grant_under_way(world: World, user: UserRow) -> Use:
    return lambda: tried(lambda: run(grants.grant(world.parts, user, "")))


def authenticator(world: World, user: UserRow) -> Use:
    """That somebody with an open session and the password has begun, and not confirmed."""
    begun = second_factor_store.begin(user.id, "sealed", world.clock.now())
    run(world.parts.database.execute(Person(user.id), begun.sql, *begun.values))
    return lambda: USABLE if row(world, held(world))["totp_sealed"] else "totp_not_begun"


def held(world: World) -> str:
    """Return the address that the account has."""
    return str(world.binding.rows("SELECT email FROM users")[0]["email"])


def changed_password(world: World, user: UserRow) -> None:
    body = {"current_password": PASSWORD, "new_password": CHOSEN}
    assert world.ask_as(user.id, "POST", f"{ME}/actions/change_password", body).status == 204


def reset_password(world: World, _user: UserRow) -> None:
    act(world, "request_password_reset", email=EMAIL)
    assert posted(world, "reset_password", token=world.people.mailer.token(), password=CHOSEN) == USABLE


def signed_out_everywhere(world: World, user: UserRow) -> None:
    run(sessions.sign_out_everywhere(world.parts, user.id))


def changed_address(world: World, user: UserRow) -> None:
    change(world, user.id, "alice@mirror.example")
    assert posted(world, "verify_email", token=world.people.mailer.token()) == USABLE


def stopped_change(world: World, user: UserRow) -> None:
    change(world, user.id, "alice@mirror.example")
    assert posted(world, "stop_email_change", token=world.people.mailer.token(-2)) == USABLE


PENDING = [
    new_address, forgotten_password, half_a_sign_in, another_way_in, session_under_way, grant_under_way, authenticator,
]  # fmt: skip
ENDINGS = [changed_password, reset_password, signed_out_everywhere, changed_address, stopped_change]


def begun(pending: Callable[[World, UserRow], Use]) -> tuple[World, UserRow, Use]:
    world = open_world()
    join(world)
    user = sign_in(world)
    return world, user, pending(world, user)


@pytest.mark.parametrize("pending", PENDING)
def test_what_is_pending_comes_to_pass(pending: Callable[[World, UserRow], Use]) -> None:
    """Else the test below would show nothing."""
    _, _, use = begun(pending)
    assert use() == USABLE


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("pending", PENDING)
def test_nothing_that_is_pending_outlives_it(
    pending: Callable[[World, UserRow], Use], ending: Callable[[World, UserRow], None]
) -> None:
    world, user, use = begun(pending)
    ending(world, user)
    noted = events(world, user.id)
    assert use() != USABLE
    assert events(world, user.id) == noted


def test_a_link_that_is_made_just_after_is_void() -> None:
    """The change was asked for with the old password; its mail goes out behind the answer, and behind the new one."""
    world = open_world()
    user_id = join(world)

    def meanwhile() -> None:
        if "INSERT INTO mail_tokens" in str(world.binding.statements[-6:]):
            world.binding.on_batch = lambda: None
            world.binding.connection.execute("UPDATE users SET epoch = epoch + 1")  # signed out everywhere

    world.binding.statements.clear()
    world.binding.on_batch = meanwhile
    change(world, user_id)
    assert posted(world, "verify_email", token=world.people.mailer.token()) == "invalid_token"


def test_the_old_address_is_told_when_a_change_is_asked_for_and_stops_it() -> None:
    """Before the new one: where it can't be told, no link goes out. It is told once, and works once."""
    world = open_world()
    user_id = join(world)
    change(world, user_id)
    told, sent = world.people.mailer.sent[-2:]
    assert (told.to, sent.to) == (EMAIL, NEW)
    assert NEW not in told.text
    stop = re.findall(r"hgm_\w+", told.text)[0]
    assert posted(world, "stop_email_change", token=stop) == USABLE
    assert posted(world, "verify_email", token=world.people.mailer.token()) == "invalid_token"
    assert posted(world, "stop_email_change", token=stop) == "invalid_token"
    assert ("user.email_change_stopped", "ok") in events(world, user_id)
    assert row(world)["id"] == user_id
    world.people.mailer.failing = True
    change(world, user_id)
    assert len(world.people.mailer.sent) == 3


def test_the_old_address_is_told_as_well_where_the_new_one_is_somebodys() -> None:
    """Else whoever has an account would learn by its own mail who has one too."""
    world = open_world()
    user_id = join(world)
    join(world, NEW)
    change(world, user_id)
    taken = world.people.mailer.subjects()[-2]
    change(world, user_id, "free@glass.example")
    assert taken == world.people.mailer.subjects()[-2]


def test_an_invitation_waits_for_the_code() -> None:
    """Half a sign-in joins nothing: who has only the other provider's account is no member of anything by it."""
    world = open_world()
    join(world)
    user = sign_in(world)
    secret = world.parts.invitations.token  # type: ignore[attr-defined]
    accepted = world.parts.invitations.accepted  # type: ignore[attr-defined]
    run(enrolment.begin(world.parts, user, PASSWORD, CONTEXT))
    now = world.clock.now()
    world.binding.connection.execute("UPDATE users SET totp_confirmed_at = ?", (now.isoformat(),))
    login = Identity("https://login.acme.example", "alice", EMAIL, True, "Alice")

    async def identified(*_: object) -> Identity:
        return login

    async def accepts(*_: object) -> bool:
        return True

    attempt = sign_in_cookies.new_attempt("acme", "/", now, invitation=secret)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sign_in_with, "_identify", identified)
        patched.setattr("lib.sign_in.second_factor.accepts", accepts)
        back = run(sign_in_with.come_back(world.parts, attempt, Returned("code"), FakeHeaders({}), CONTEXT))
        assert accepted == []
        [cookie] = back.cookies
        headers = FakeHeaders({"cookie": cookie.partition(";")[0]})
        assert cookies.read(headers.get("cookie"), sign_in_cookies.CODE_COOKIE)
        run(sign_in_with.show_code(world.parts, "123456", headers, CONTEXT))
    assert accepted == [user.id]


def test_no_cookie_of_another_version_of_ours_is_a_defect() -> None:
    """One without an epoch, from before an update: begin again."""
    world = open_world()
    old = {"user_id": "x", "expires_at": 2**40}
    value = run(sign_in_cookies._seal(world.parts, sign_in_cookies.CODE_COOKIE, old))
    assert tried(lambda: run(sign_in_cookies.open_code_wanted(world.parts, value))) == "sign_in_expired"
