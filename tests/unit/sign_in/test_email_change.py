"""Another address: it counts when somebody has read the mail to it."""

from __future__ import annotations

import pytest

from lib.config import SignUp
from tests.unit.sign_in.people import EMAIL, PASSWORD
from tests.unit.sign_in.signing_up import ME, act, events, join, open_world, row, sign_in
from tests.unit.world import Answer, World

NEW = "alice@glass.example"


def change(world: World, user_id: str, email: str = NEW, password: str = PASSWORD) -> Answer:
    return world.ask_as(user_id, "POST", f"{ME}/actions/change_email", {"email": email, "password": password})


def test_the_new_address_is_confirmed_first() -> None:
    """Until then the old one holds. Then both know."""
    world = open_world()
    user_id = join(world)
    answer = change(world, user_id, f" {NEW.upper()}")
    assert (answer.status, answer.data) == (202, {"email": NEW})
    assert world.people.mailer.subjects()[-1] == (NEW, "Confirm your new address")
    assert row(world)["id"] == user_id
    assert act(world, "verify_email", token=world.people.mailer.token()).status == 204
    assert world.people.mailer.subjects()[-1] == (EMAIL, "The address of your account has changed")
    assert sign_in(world, NEW).id == user_id
    assert ("user.email_changed", "ok") in events(world, user_id)


def test_it_needs_the_password() -> None:
    """Whoever finds an open session must not take the account away."""
    world = open_world()
    user_id = join(world)
    sent = len(world.people.mailer.sent)
    assert change(world, user_id, password="a wrong password").error["code"] == "wrong_password"
    assert len(world.people.mailer.sent) == sent


def test_an_address_that_somebody_has_is_told_to_its_owner_alone() -> None:
    """The same answer, and another mail."""
    world = open_world()
    user_id = join(world)
    join(world, NEW)
    free, taken = change(world, user_id, "free@glass.example"), change(world, user_id)
    assert (free.status, free.headers, free.data.keys()) == (taken.status, taken.headers, taken.data.keys())
    assert world.people.mailer.subjects()[-1] == (NEW, "You have an account already")


def test_an_address_that_was_taken_meanwhile_is_refused() -> None:
    """409 to whoever reads its mail; nothing changes."""
    world = open_world()
    user_id = join(world)
    change(world, user_id)
    token = world.people.mailer.token()
    join(world, NEW)
    answer = act(world, "verify_email", token=token)
    assert (answer.status, answer.error["code"]) == (409, "email_taken")
    assert row(world)["id"] == user_id


def test_what_was_sent_to_the_old_address_is_void() -> None:
    """A link to reset the password there must not take the account back."""
    world = open_world()
    user_id = join(world)
    act(world, "request_password_reset", email=EMAIL)
    reset = world.people.mailer.token()
    change(world, user_id)
    act(world, "verify_email", token=world.people.mailer.token())
    assert act(world, "reset_password", token=reset, password="a new password of mine").status == 422


def test_a_token_moves_an_account_once() -> None:
    world = open_world()
    user_id = join(world)
    change(world, user_id)
    token = world.people.mailer.token()
    assert act(world, "verify_email", token=token).status == 204
    assert act(world, "verify_email", token=token).error["code"] == "invalid_token"


def test_two_who_use_one_token_move_once() -> None:
    """Both have found it unused: the store decides."""
    world = open_world()
    user_id = join(world)
    change(world, user_id)
    token = world.people.mailer.token()

    def beaten() -> None:
        if "SET email = " in str(world.binding.statements[-4:]):
            world.binding.rows("UPDATE mail_tokens SET used_at = '2026'")

    world.binding.on_batch = beaten
    assert act(world, "verify_email", token=token).error["code"] == "invalid_token"
    assert row(world)["id"] == user_id


def test_where_domains_are_set_the_new_address_keeps_to_them() -> None:
    """Else whoever has left a company would take the account along."""
    world = open_world(sign_up=SignUp.DOMAIN, sign_up_domains=frozenset({"wonder.example"}))
    user_id = join(world)
    assert change(world, user_id).error["code"] == "domain_not_allowed"
    assert change(world, user_id, "alice2@wonder.example").status == 202


@pytest.mark.parametrize("email", ["", "alice", "alice@glass.example, bob@glass.example"])
def test_what_is_no_address_is_refused(email: str) -> None:
    world = open_world()
    assert change(world, join(world), email).status == 400


def test_it_is_bounded() -> None:
    """Each time sends a mail to somebody who may not have asked for it: whoever asks, and whoever gets it."""
    world = open_world()
    user_id = join(world)
    change(world, user_id)
    counted = [("change_email", user_id), ("new_address", NEW)]
    assert [failure[:2] for failure in world.people.guard.failures][-2:] == counted
    for closed in counted:
        world.people.guard.closed = {closed}
        assert change(world, user_id).status == 429
