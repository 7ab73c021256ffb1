"""Deleting an account: what goes, what stays, and who may not go yet."""

from __future__ import annotations

from typing import Any

import pytest

from lib.kernel.errors import Unauthorized
from tests.unit.fakes import run
from tests.unit.sign_in.people import EMAIL, PASSWORD
from tests.unit.sign_in.signing_up import ME, events, join, open_world, sign_in, sign_up
from tests.unit.store.seeds import seed_key
from tests.unit.world import Answer, World

OTHER = "bob@wonder.example"


def delete(world: World, user_id: str, password: str = PASSWORD) -> Answer:
    return world.ask_as(user_id, "DELETE", ME, {"password": password})


def home(world: World, user_id: str) -> str:
    [found] = world.binding.rows("SELECT org_id FROM memberships WHERE user_id = ?", user_id)
    return str(found["org_id"])


def add(world: World, org_id: str, user_id: str, role: str) -> None:
    world.binding.rows(
        "INSERT INTO memberships (org_id, user_id, role, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
        org_id, user_id, role, "2026-05-04T12:00:00Z", "2026-05-04T12:00:00Z",
    )  # fmt: skip


def rows_of(world: World, user_id: str) -> dict[str, Any]:
    [found] = world.binding.rows("SELECT * FROM users WHERE id = ?", user_id)
    return found


def test_the_person_goes() -> None:
    """Name, address, password, sessions and ways in; nothing of it is left anywhere but in what others were told."""
    world = open_world()
    user_id = join(world)
    assert delete(world, user_id).status == 204
    gone = rows_of(world, user_id)
    assert (gone["name"], gone["email"]) == ("Deleted account", f"{user_id}@deleted.invalid")
    assert gone["deleted_at"] == gone["signed_out_at"] is not None
    for name in ("password_hash", "email_verified_at", "totp_sealed", "totp_confirmed_at", "totp_step"):
        assert gone[name] is None
    for table in ("memberships", "mail_tokens", "recovery_codes", "sessions", "refresh_tokens", "logins"):
        assert not world.binding.rows(f"SELECT * FROM {table} WHERE user_id = ?", user_id)
    everything = str([world.binding.rows(f"SELECT * FROM {table}") for table in ("users", "orgs", "api_keys")])
    assert "alice" not in everything.lower()
    assert events(world, user_id)[-1] == ("user.deleted", "ok")


def test_nobody_signs_in_any_more_and_the_address_is_free() -> None:
    world = open_world()
    user_id = join(world)
    delete(world, user_id)
    with pytest.raises(Unauthorized):
        sign_in(world)
    assert world.ask_as(user_id, "GET", ME).status == 403
    assert sign_up(world).status == 202
    assert join(world, OTHER) != user_id


def test_the_ledger_keeps_its_keys() -> None:
    """The person's key stays, revoked, and its gate is told; so do all keys where nobody is left."""
    world = open_world()
    user_id = join(world)
    org_id = home(world, user_id)
    server = run(seed_key(world.parts.database, org_id))
    delete(world, user_id)
    keys = world.binding.rows("SELECT kind, revoked_at FROM api_keys WHERE org_id = ?", org_id)
    assert sorted(str(key["kind"]) for key in keys) == ["person", "server"]
    assert all(key["revoked_at"] for key in keys)
    assert org_id in world.gates.changes
    assert world.ask("GET", "/api/v1/keys", key=server.secret).status == 401
    assert world.binding.rows("SELECT name FROM orgs WHERE id = ?", org_id) == [{"name": "Deleted organisation"}]


def test_it_needs_the_password() -> None:
    world = open_world()
    user_id = join(world)
    assert delete(world, user_id, "a wrong password").error["code"] == "wrong_password"
    assert rows_of(world, user_id)["deleted_at"] is None


def test_the_last_owner_of_others_hands_over_first() -> None:
    """409, and nothing has changed, not even where the person could have left."""
    world = open_world()
    user_id, other = join(world), join(world, OTHER)
    add(world, home(world, user_id), other, "admin")
    add(world, world.org_id, user_id, "viewer")
    answer = delete(world, user_id)
    assert (answer.status, answer.error["code"]) == (409, "last_owner")
    assert rows_of(world, user_id)["email"] == EMAIL
    assert len(world.binding.rows("SELECT * FROM memberships WHERE user_id = ?", user_id)) == 2
    world.binding.rows("UPDATE memberships SET role = 'owner' WHERE user_id = ?", other)
    assert delete(world, user_id).status == 204


def test_what_others_are_in_goes_on() -> None:
    """Its other keys stay good, its name stays."""
    world = open_world()
    user_id, other = join(world), join(world, OTHER)
    org_id = home(world, user_id)
    add(world, org_id, other, "owner")
    server = run(seed_key(world.parts.database, org_id))
    assert delete(world, user_id).status == 204
    assert world.ask("GET", "/api/v1/keys", key=server.secret).status == 200
    assert world.binding.rows("SELECT name FROM orgs WHERE id = ?", org_id) == [{"name": "Alice's organisation"}]
    [noted] = world.binding.rows("SELECT actor FROM audit_events WHERE action = 'member.left'")
    assert noted["actor"] == f"user:{user_id}"


def test_two_owners_cannot_both_go() -> None:
    """Both were told that they may: the statement decides again, and the second stays."""
    world = open_world()
    user_id, other = join(world), join(world, OTHER)
    org_id = home(world, user_id)
    add(world, org_id, other, "owner")
    third = join(world, "carol@wonder.example")
    add(world, org_id, third, "viewer")

    def beaten() -> None:
        if "DELETE FROM memberships" in str(world.binding.statements[-7:]):
            world.binding.rows("DELETE FROM memberships WHERE user_id = ? AND org_id = ?", other, org_id)

    world.binding.on_batch = beaten
    answer = delete(world, user_id)
    assert (answer.status, answer.error["code"]) == (409, "last_owner")
    assert rows_of(world, user_id)["deleted_at"] is None
    kept = world.binding.rows("SELECT revoked_at FROM api_keys WHERE org_id = ? AND user_id = ?", org_id, user_id)
    assert kept == [{"revoked_at": None}]


def test_a_deletion_that_broke_off_goes_on() -> None:
    """The organisation was left, then the gate could not be told: deleting again ends it."""
    world = open_world()
    user_id = join(world)
    world.gates.failure = RuntimeError("away")
    with pytest.raises(RuntimeError):
        delete(world, user_id)
    assert rows_of(world, user_id)["deleted_at"] is None
    world.gates.failure = None
    assert delete(world, user_id).status == 204
