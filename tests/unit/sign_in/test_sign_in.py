"""Signing in: one error, the same work, and what is done along the way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lib.kernel.errors import Forbidden, HeadgateError, TooManyRequests, Unauthorized
from lib.sign_in import accounts
from lib.sign_in.passwords import HashCost
from lib.users import account_store
from tests.unit.fakes import run
from tests.unit.sign_in.people import CONTEXT, EMAIL, PASSWORD
from tests.unit.sign_in.signing_up import events, join, open_world, row, sign_in, sign_up
from tests.unit.world import World


def refusal(world: World, email: str, password: str, code: str | None = None) -> HeadgateError:
    with pytest.raises(HeadgateError) as refused:
        sign_in(world, email, password, code)
    return refused.value


def test_address_and_password_sign_in() -> None:
    """The address without regard to case and spaces; noted in the audit log."""
    world = open_world()
    user_id = join(world)
    form = {"grant_type": "password", "email": " ALICE@wonder.example", "password": PASSWORD}
    assert world.ask("POST", "/api/v1/tokens", form, key=None).status == 200
    assert events(world, user_id)[-2:] == [("user.signed_in", "ok"), ("token.granted", "ok")]


def test_an_unknown_address_is_refused_as_a_wrong_password_is() -> None:
    """The same error after the same work: one look, one verification."""
    world = open_world()
    join(world)
    seen = []
    for email, password in ((EMAIL, "a wrong password"), ("nobody@wonder.example", PASSWORD), ("no address", PASSWORD)):
        verified, statements = world.people.hasher.verified, len(world.binding.statements)
        failure = refusal(world, email, password)
        assert isinstance(failure, Unauthorized)
        work = (world.people.hasher.verified - verified, len(world.binding.statements) - statements)
        seen.append((failure.code, failure.message, failure.headers, work))
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][0] == "invalid_credentials"
    assert seen[0][-1] == (1, 1)


def test_a_failure_is_noted_behind_the_answer() -> None:
    """On the account that there is; by no means where there is none."""
    world = open_world()
    user_id = join(world)
    failure = refusal(world, EMAIL, "a wrong password")
    assert failure.finish is not None
    run(failure.finish())  # type: ignore[arg-type]
    assert events(world, user_id)[-1] == ("user.sign_in_failed", "denied")
    assert refusal(world, "nobody@wonder.example", PASSWORD).finish is None


def test_failures_are_counted_by_account_and_address_and_forgotten_with_success() -> None:
    world = open_world()
    join(world)
    world.people.guard.failures.clear()
    refusal(world, EMAIL, "a wrong password")
    refusal(world, "nobody@wonder.example", PASSWORD)
    assert world.people.guard.failures == [
        ("sign_in", EMAIL, CONTEXT.address),
        ("sign_in", "nobody@wonder.example", CONTEXT.address),
    ]
    sign_in(world)
    assert [account for _, account, _ in world.people.guard.failures] == ["nobody@wonder.example"]


def test_who_tries_too_often_waits() -> None:
    """Before any work is done."""
    world = open_world()
    join(world)
    world.people.guard.closed.add(("sign_in", EMAIL))
    verified = world.people.hasher.verified
    assert isinstance(refusal(world, EMAIL, PASSWORD), TooManyRequests)
    assert world.people.hasher.verified == verified


def test_a_hash_is_made_anew_when_the_cost_has_changed() -> None:
    """At sign-in, when the password is known. Not for a wrong one."""
    world = open_world()
    join(world)
    old = row(world)["password_hash"]
    world.parts = replace(world.parts, passwords=replace(world.parts.passwords, cost=HashCost(128, 2)))
    refusal(world, EMAIL, "a wrong password")
    assert row(world)["password_hash"] == old
    sign_in(world)
    assert "m=128,t=2" in row(world)["password_hash"]
    new = row(world)["password_hash"]
    sign_in(world)
    assert row(world)["password_hash"] == new


def test_an_account_without_a_password_has_none_that_fits() -> None:
    """One that was made by signing in with others."""
    world = open_world()
    join(world)
    world.binding.rows("UPDATE users SET password_hash = NULL")
    for password in ("", PASSWORD, "None"):
        assert refusal(world, EMAIL, password).code == "invalid_credentials"
    user = run(account_store.find(world.parts.database, EMAIL))
    assert user is not None
    with pytest.raises(Forbidden):
        run(accounts.confirm_password(world.parts, user, "", CONTEXT))


def test_no_secret_is_in_the_log_of_what_was_done() -> None:
    world = open_world()
    join(world)
    sign_up(world, password="another good password")
    sign_in(world)
    noted = str(world.binding.rows("SELECT * FROM person_events"))
    assert PASSWORD not in noted
    assert "another good" not in noted
    assert "hgm_" not in noted
    assert "argon2" not in noted


def test_a_right_password_once_more_counts_as_no_attempt() -> None:
    """Else an owner who changes a few things in a row would wait as one who guesses does."""
    world = open_world()
    join(world)
    user, guard = sign_in(world), world.people.guard
    guard.failures.clear()
    with pytest.raises(Forbidden):
        run(accounts.confirm_password(world.parts, user, "a wrong password", CONTEXT))
    assert guard.failures == [("sign_in", EMAIL, CONTEXT.address)]
    run(accounts.confirm_password(world.parts, user, PASSWORD, CONTEXT))
    assert guard.failures == []
