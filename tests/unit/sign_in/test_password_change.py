"""A new password: with the old one, or with what was sent by mail."""

from __future__ import annotations

import pytest

from lib.kernel.errors import Unauthorized
from tests.unit.fakes import NOW
from tests.unit.sign_in.people import EMAIL, PASSWORD
from tests.unit.sign_in.signing_up import ME, act, events, join, open_world, row, sign_in, sign_up
from tests.unit.world import Answer, World

NEW = "ten lives for kittens"


def change(world: World, user_id: str, current: str = PASSWORD, new: str = NEW) -> Answer:
    fields = {"current_password": current, "new_password": new}
    return world.ask_as(user_id, "POST", f"{ME}/actions/change_password", fields)


def ask_for_reset(world: World, email: str = EMAIL) -> str:
    """Return the token that is sent."""
    assert act(world, "request_password_reset", email=email).status == 202
    return world.people.mailer.token()


def begin_sessions(world: World, user_id: str) -> None:
    """Write a session and a refresh token, as signing in does."""
    for table, more in (("sessions", "seen_at"), ("refresh_tokens", "family_id")):
        world.binding.rows(
            f"INSERT INTO {table} (id, user_id, secret_hash, {more}, expires_at, created_at, updated_at)"
            " VALUES (?1, ?2, ?3, ?1, '2027', '2026', '2026')",
            f"{table}".ljust(36, "-"), user_id, table.ljust(64, "-"),
        )  # fmt: skip


def ended(world: World) -> list[bool]:
    return [
        found["revoked_at"] is not None
        for table in ("sessions", "refresh_tokens")
        for found in world.binding.rows(f"SELECT revoked_at FROM {table}")
    ]


def test_a_password_is_changed_with_the_old_one() -> None:
    """The old one is refused from then on; the person hears of it by mail."""
    world = open_world()
    user_id = join(world)
    assert change(world, user_id).status == 204
    assert sign_in(world, password=NEW).id == user_id
    with pytest.raises(Unauthorized):
        sign_in(world)
    assert world.people.mailer.subjects()[-1] == (EMAIL, "The password of your account has changed")
    assert ("user.password_changed", "ok") in events(world, user_id)


def test_everything_that_was_begun_ends() -> None:
    """Sessions, refresh tokens and access tokens: whoever had the old password is out."""
    world = open_world()
    user_id = join(world)
    begin_sessions(world, user_id)
    change(world, user_id)
    assert ended(world) == [True, True]
    assert row(world)["signed_out_at"] == NOW.isoformat().replace("+00:00", "Z")


def test_the_old_password_must_be_right() -> None:
    """403, counted as a sign-in that failed."""
    world = open_world()
    user_id = join(world)
    before = row(world)
    answer = change(world, user_id, current="a wrong password")
    assert (answer.status, answer.error["code"]) == (403, "wrong_password")
    assert row(world) == before
    assert ("sign_in", EMAIL, None) in world.people.guard.failures
    world.people.guard.closed.add(("sign_in", EMAIL))
    assert change(world, user_id).status == 429


@pytest.mark.parametrize("new", ["qwertyqwerty", "short", "alice@wonder.example"])
def test_the_new_password_must_be_good(new: str) -> None:
    """The same rules as at sign-up."""
    world = open_world()
    user_id = join(world)
    answer = change(world, user_id, new=new)
    assert (answer.status, answer.error["code"]) == (422, "weak_password")


def test_of_two_changes_one_holds() -> None:
    """The second one knew a password that is no longer the account's."""
    world = open_world()
    user_id = join(world)

    def beaten() -> None:
        if "SET password_hash" in str(world.binding.statements[-4:]):
            world.binding.rows("UPDATE users SET password_hash = 'other'")

    world.binding.on_batch = beaten
    assert change(world, user_id).status == 409
    assert row(world)["password_hash"] == "other"


def test_a_forgotten_password_is_set_anew_by_mail() -> None:
    """Once, within an hour; sessions end, and the person hears of it."""
    world = open_world()
    user_id = join(world)
    begin_sessions(world, user_id)
    token = ask_for_reset(world)
    assert act(world, "reset_password", token=token, password=NEW).status == 204
    assert sign_in(world, password=NEW).id == user_id
    assert ended(world) == [True, True]
    assert world.people.mailer.subjects()[-1] == (EMAIL, "The password of your account has changed")
    answer = act(world, "reset_password", token=token, password="yet another password")
    assert (answer.status, answer.error["code"]) == (422, "invalid_token")


def test_asking_is_answered_the_same_for_every_address() -> None:
    """The same answer without a look at the store; only the owner of an account gets a mail."""
    world = open_world()
    join(world)
    sent = len(world.people.mailer.sent)
    seen = []
    for email in (EMAIL, "nobody@wonder.example"):
        answer = act(world, "request_password_reset", email=email)
        seen.append((answer.status, answer.headers, answer.data == {"email": email}, answer.facts["db_queries"]))
    assert seen[0] == seen[1]
    assert seen[0][-1] == 0
    assert world.people.mailer.subjects()[sent:] == [(EMAIL, "Choose a new password")]


def test_asking_is_bounded() -> None:
    """Each time counts, since each may send a mail."""
    world = open_world()
    join(world)
    ask_for_reset(world)
    assert ("reset", EMAIL, None) in world.people.guard.failures
    world.people.guard.closed.add(("reset", EMAIL))
    assert act(world, "request_password_reset", email=EMAIL).status == 429


def test_only_the_newest_token_works() -> None:
    """Asking again takes the one before away."""
    world = open_world()
    join(world)
    old = ask_for_reset(world)
    new = ask_for_reset(world)
    assert act(world, "reset_password", token=old, password=NEW).status == 422
    assert act(world, "reset_password", token=new, password=NEW).status == 204


def test_a_token_runs_out() -> None:
    world = open_world()
    join(world)
    token = ask_for_reset(world)
    world.clock.advance(hours=1)
    assert act(world, "reset_password", token=token, password=NEW).error["code"] == "invalid_token"


def test_a_weak_password_leaves_the_token_good() -> None:
    """The person tries again."""
    world = open_world()
    join(world)
    token = ask_for_reset(world)
    assert act(world, "reset_password", token=token, password="short").error["code"] == "weak_password"
    assert act(world, "reset_password", token=token, password=NEW).status == 204


def test_resetting_proves_the_address() -> None:
    """Who was never confirmed is from then on: the mail was read."""
    world = open_world()
    sign_up(world)
    assert act(world, "reset_password", token=ask_for_reset(world), password=NEW).status == 204
    assert sign_in(world, password=NEW).email_verified_at is not None


def test_two_who_use_one_token_set_one_password() -> None:
    """Both have found it unused: the store decides."""
    world = open_world()
    join(world)
    token = ask_for_reset(world)

    def beaten() -> None:
        if "SET password_hash" in str(world.binding.statements[-6:]):
            world.binding.rows("UPDATE mail_tokens SET used_at = '2026'")

    world.binding.on_batch = beaten
    before = row(world)["password_hash"]
    assert act(world, "reset_password", token=token, password=NEW).error["code"] == "invalid_token"
    assert row(world)["password_hash"] == before


@pytest.mark.parametrize("token", ["x", "hgm_", "hgm_" + "a" * 38, "hg_" + "0" * 38, "hgm_' OR 1=1 --"])
def test_an_invented_token_costs_nothing(token: str) -> None:
    """422, without a look at the store."""
    world = open_world()
    answer = act(world, "reset_password", token=token, password=NEW)
    assert (answer.status, answer.error["code"], answer.facts["db_queries"]) == (422, "invalid_token", 0)
