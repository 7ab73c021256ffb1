"""An organisation's people in a world, each with an access token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lib.store.schema import UserRow
from lib.tokens import grants
from lib.users import people
from tests.unit.fakes import run
from tests.unit.store.seeds import seed_person
from tests.unit.world import Answer, World, new_world

ANY = {"if-match": "*"}


@dataclass
class Caller:
    """Somebody who has signed in, active in an organisation or in none."""

    world: World
    user: UserRow
    token: str

    @property
    def id(self) -> str:
        return self.user.id

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Call a route; `path` stands below the world's organisation where it begins without a slash."""
        target = path if path.startswith("/") else f"/api/v1/orgs/{self.world.org_id}/{path}"
        return self.world.ask(method, target, body, key=self.token, headers=ANY | headers)

    def member(self, of: Caller | None = None) -> Any:
        """Return a member as this one sees it."""
        return self.ask("GET", f"members/{(of or self).id}").data


def join(world: World, role: str | None, email: str | None = None) -> Caller:
    """Make a person of this role, or (None) one who belongs nowhere."""
    return run(_join(world, role, email or f"{role or 'stranger'}@example.com"))


async def _join(world: World, role: str | None, email: str) -> Caller:
    org_id = world.org_id if role else ""
    user = await seed_person(world.parts.database, org_id or None, role or "", email)
    if org_id:
        await people.ensure_key(world.parts, org_id, user.id)
    return Caller(world, user, await _token(world, user, org_id))


async def _token(world: World, user: UserRow, org_id: str) -> str:
    return (await grants.grant(world.parts, user, org_id)).access_token


def again(caller: Caller, org_id: str) -> Caller:
    """Sign somebody in anew, active in an organisation."""
    return Caller(caller.world, caller.user, run(_token(caller.world, caller.user, org_id)))


def owned() -> tuple[World, Caller]:
    """Return a world and its organisation's only owner."""
    world = new_world()
    return world, join(world, "owner")


def events(world: World) -> list[tuple[str, str | None]]:
    """Return what the organisation's log says: what was done to what. Refusals are left out."""
    rows = world.binding.rows(
        "SELECT action, target FROM audit_events WHERE org_id = ? AND result = 'ok' ORDER BY seq", world.org_id
    )
    return [(str(row["action"]), str(row["target"])) for row in rows]
