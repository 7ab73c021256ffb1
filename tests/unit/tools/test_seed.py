"""What the seed writes is what the Worker reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lib.kernel.errors import Unauthorized
from lib.secrets.api_keys import derive
from lib.sign_in import accounts
from lib.sign_in.passwords import HashCost, Passwords
from tests.unit.fakes import run
from tests.unit.sign_in.people import CONTEXT
from tests.unit.sign_in.signing_up import act, sign_in
from tests.unit.world import Answer, World, new_world
from tools.password_hasher import CffiArgon2
from tools.seed import FirstAccess, first_access, link_statements, new_link, seed_statements, statements

PASSWORD = "chosen by its owner"


def test_the_administrator_can_sign_in() -> None:
    """With the secret of the deployment, and the address counts as confirmed. Once: the hash is at the default cost."""
    world = new_world()
    made, sql = seed_statements("s" * 32)
    world.binding.connection.executescript(sql)
    passwords = Passwords(CffiArgon2(), "s" * 32, HashCost(19 * 1024, 2), 12)
    parts = replace(world.parts, passwords=passwords)
    user = run(accounts.sign_in(parts, made.admin_email, made.admin_password, None, CONTEXT))
    assert user.password_hash is not None
    assert not passwords.needs_rehash(user.password_hash)
    [membership] = world.binding.rows("SELECT * FROM memberships WHERE user_id = ?", user.id)
    [key] = world.binding.rows("SELECT * FROM api_keys WHERE user_id = ?", user.id)
    assert (membership["org_id"], key["org_id"], key["kind"]) == (made.org_id, made.org_id, "person")


def deployed() -> tuple[World, FirstAccess]:
    """Return a world that was seeded as a deployment is, at the time of now."""
    world, made = new_world(), first_access("me@example.com")
    pepper = derive(world.parts.config.secret, "api-key-pepper")  # as bootstrap derives it
    world.parts = replace(world.parts, pepper=pepper)
    world.binding.connection.executescript(statements(made, world.parts.config.secret))
    world.clock.advance(seconds=(datetime.now(UTC) - world.clock.now()).total_seconds())
    return world, made


def choose(world: World, link: str) -> Answer:
    page, _, token = link.partition("#token=")
    assert page == "/reset-password"
    return act(world, "reset_password", token=token, password=PASSWORD)


def test_a_deployments_administrator_chooses_its_password() -> None:
    """ASVS V6.4.1. By a link that works once. Until then nobody gets in by a password."""
    world, made = deployed()
    assert world.binding.rows("SELECT password_hash FROM users") == [{"password_hash": None}]
    with pytest.raises(Unauthorized):
        sign_in(world, made.admin_email, made.api_key)
    assert choose(world, made.set_password).status == 204
    assert sign_in(world, made.admin_email, PASSWORD).email == made.admin_email
    assert choose(world, made.set_password).error["code"] == "invalid_token"


def test_the_link_ends_in_a_day() -> None:
    world, made = deployed()
    world.clock.advance(hours=25)
    assert choose(world, made.set_password).error["code"] == "invalid_token"


def test_another_link_takes_the_place_of_the_first() -> None:
    world, made = deployed()
    [user] = world.binding.rows("SELECT id FROM users")
    link = new_link()
    sql = link_statements(str(user["id"]), made.admin_email, link, world.parts.config.secret)
    world.binding.connection.executescript(sql)
    assert choose(world, made.set_password).error["code"] == "invalid_token"
    assert choose(world, link).status == 204


def test_no_secret_is_written() -> None:
    """Of the link and of the key only hashes."""
    made = first_access("o'hara@example.com")
    sql = statements(made, "s" * 32)
    assert "o''hara@example.com" in sql
    assert made.set_password.partition("=")[2] not in sql
    assert made.api_key not in sql
