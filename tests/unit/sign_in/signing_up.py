"""People in a world: signed up, verified, signed in."""

from __future__ import annotations

from typing import Any

from lib.config import AccountConfig, SignUp
from lib.sign_in import accounts
from lib.store.schema import UserRow
from tests.unit.fakes import run
from tests.unit.sign_in.people import CONTEXT, EMAIL, PASSWORD
from tests.unit.world import Answer, World, new_world

USERS = "/api/v1/users"
ME = "/api/v1/me"


def open_world(**account: Any) -> World:
    """Return a world in which everybody may make an account."""
    return new_world(account=AccountConfig(**{"sign_up": SignUp.OPEN, **account}))


def sign_up(world: World, email: str = EMAIL, password: str = PASSWORD, **fields: object) -> Answer:
    body = {"email": email, "password": password, "name": "Alice", **fields}
    return world.ask("POST", USERS, body, key=None)


def act(world: World, action: str, **fields: object) -> Answer:
    """Do what nobody needs to be signed in for."""
    return world.ask("POST", f"{USERS}/actions/{action}", fields, key=None)


def join(world: World, email: str = EMAIL, password: str = PASSWORD) -> str:
    """Sign up and confirm the address; return the account's id."""
    assert sign_up(world, email, password).status == 202
    assert act(world, "verify_email", token=world.people.mailer.token()).status == 204
    return str(row(world, email)["id"])


def row(world: World, email: str = EMAIL) -> dict[str, Any]:
    """Return an account's row."""
    [found] = world.binding.rows("SELECT * FROM users WHERE email = ?", email)
    return found


def sign_in(world: World, email: str = EMAIL, password: str = PASSWORD, code: str | None = None) -> UserRow:
    return run(accounts.sign_in(world.parts, email, password, code, CONTEXT))


def events(world: World, user_id: str) -> list[tuple[str, str]]:
    """Return what the audit log says of a person."""
    rows = world.binding.rows("SELECT action, result FROM person_events WHERE user_id = ? ORDER BY seq", user_id)
    return [(str(event["action"]), str(event["result"])) for event in rows]
