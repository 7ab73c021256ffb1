"""What the seed writes is what the Worker reads."""

from __future__ import annotations

from dataclasses import replace

from lib.identity import accounts
from lib.identity.passwords import Cost, Passwords
from tests.unit.fakes import run
from tests.unit.identity.people import CONTEXT
from tests.unit.world import new_world
from tools.password_hasher import CffiArgon2
from tools.seed import seed_statements


def test_the_administrator_can_sign_in() -> None:
    """With the secret of the deployment, and the address counts as confirmed. Once: the hash is at the default cost."""
    world = new_world()
    made, sql = seed_statements("s" * 32)
    world.binding.connection.executescript(sql)
    passwords = Passwords(CffiArgon2(), "s" * 32, Cost(19 * 1024, 2), 12)
    services = replace(world.services, passwords=passwords)
    user = run(accounts.sign_in(services, made.admin_email, made.admin_password, None, CONTEXT))
    assert user.password_hash is not None
    assert not passwords.needs_rehash(user.password_hash)
    [membership] = world.binding.rows("SELECT * FROM memberships WHERE user_id = ?", user.id)
    [key] = world.binding.rows("SELECT * FROM api_keys WHERE user_id = ?", user.id)
    assert (membership["org_id"], key["org_id"], key["kind"]) == (made.org_id, made.org_id, "person")
