"""Every route, tried by every role, a custom role, a key, a stranger, another organisation's owner, and nobody."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from lib.access.principal import ALL_SCOPES
from lib.events.event_store import Log
from lib.http.context import Context
from lib.kernel.ids import new_id
from lib.orgs import role_service
from lib.store.schema import PERSON_COLUMNS, TENANT_COLUMNS, RoleRow
from lib.store.tenant import Org
from lib.tokens import grants
from lib.users import people
from lib.web import refusals
from lib.web.route import Route
from tests.access_cases import (
    BODIES,
    BUSINESS,
    OPERATORS,
    PASSWORD,
    PROTECTED,
    PUBLIC,
    ROLES,
    Json,
    Things,
    allowed,
    make_things,
    name_of,
)
from tests.unit.fakes import NOW, run
from tests.unit.gateway.fake_upstream import FakeAnswer
from tests.unit.store.seeds import seed_key, seed_membership, seed_org, seed_person
from tests.unit.world import Answer, World, new_world

CONTEXT = Context("request")
CUSTOM = frozenset({"audit:read", "teams:write"})
# What each may do; a stranger has signed in and belongs to no organisation.
CALLERS: dict[str, frozenset[str]] = {
    **ROLES,
    "custom": CUSTOM,
    "key": frozenset(ALL_SCOPES),
    "weak key": frozenset({"chat:write"}),
    "stranger": frozenset(),
}


@dataclass
class Scene:
    """An organisation with a thing of each kind, and the credentials of all who call."""

    world: World
    things: Things
    credentials: dict[str, str]
    saved: sqlite3.Connection

    def ask(self, route: Route, caller: str | None, version: str = "*") -> Answer:
        """Call a route as somebody, with everything as it was in the beginning."""
        self.saved.backup(self.world.binding.connection)
        self.world.upstream.script = [FakeAnswer()]
        path, body = self.things.path(route), self.things.body(route)
        key = self.credentials[caller] if caller is not None else None
        return self.world.ask(route.method, path, body, key=key, headers={"if-match": version})

    def changed(self) -> bool:
        """Tell whether anything is not as it was in the beginning, but for the note that something was refused."""
        return _dump(self.saved) != _dump(self.world.binding.connection)


def _dump(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    tables = sorted({*TENANT_COLUMNS, *PERSON_COLUMNS} - {log.links for log in Log})  # a link is no change of its own
    rows = [tuple(row) for table in tables for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")]
    return [row for row in rows if refusals.ACTION not in row]


@cache
def scene() -> Scene:
    world = new_world()
    credentials = run(_people(world))
    world.upstream.script = [FakeAnswer()]

    def ask(method: str, path: str, body: Json | None) -> tuple[int, Any]:
        answer = world.ask(method, path, body)
        return answer.status, answer.body

    target, guest = run(_target(world)), {"email": "guest@example.com", "role": "viewer"}
    _, invitation = ask("POST", f"/api/v1/orgs/{world.org_id}/invitations", guest)
    things = make_things(ask, world.org_id, target, str(invitation["data"]["id"]))
    saved = sqlite3.connect(":memory:")
    world.binding.connection.backup(saved)
    return Scene(world, things, credentials, saved)


async def _target(world: World) -> str:
    """Return a member to whom things are done: a viewer, whom an admin may manage."""
    target = await seed_person(world.parts.database, None, "viewer", "target@example.com")
    await seed_membership(world.parts.database, world.org_id, target.id, "viewer")
    return target.id


async def _people(world: World) -> dict[str, str]:
    """Return a credential for each caller."""
    parts, org_id = world.parts, world.org_id
    database = parts.database
    password = parts.passwords.hash(PASSWORD)
    role = RoleRow(new_id(NOW), org_id, "Custom", CUSTOM, 1, NOW, NOW)
    await database.batch(Org(org_id), [role_service.ROLES.insert(role)])
    weak = await seed_key(database, org_id, ["chat:write"])
    found: dict[str, str] = {"key": world.key.secret, "weak key": weak.secret}
    for name in [*ROLES, "custom"]:
        user = await seed_person(database, org_id, name if name in ROLES else "viewer", f"{name}@example.com", password)
        if name == "custom":
            sql = "UPDATE memberships SET custom_role_id = ? WHERE org_id = ? AND user_id = ?"
            await database.execute(Org(org_id), sql, role.id, org_id, user.id)
        await people.ensure_key(parts, org_id, user.id)
        found[name] = (await grants.grant(parts, user, org_id)).access_token
    # An owner beside the one who calls, so that leaving is allowed.
    await seed_person(database, org_id, "owner", "second@example.com")
    stranger = await seed_person(database, None, "", "stranger@example.com", password)
    found["stranger"] = (await grants.grant(parts, stranger, "")).access_token
    elsewhere = await seed_org(database, "Elsewhere")
    other = await seed_person(database, elsewhere, "owner", "other@example.com", password)
    await people.ensure_key(parts, elsewhere, other.id)
    found["other"] = (await grants.grant(parts, other, elsewhere)).access_token
    found["other key"] = (await seed_key(database, elsewhere)).secret
    return found


every_route = pytest.mark.parametrize("route", PROTECTED, ids=name_of)


@every_route
@pytest.mark.parametrize("caller", CALLERS)
def test_a_caller_may_do_what_its_permissions_say(caller: str, route: Route) -> None:
    """And no more: what is refused changes nothing, and says that it is not allowed."""
    answer = scene().ask(route, caller)
    person = "key" not in caller
    if not allowed(route, CALLERS[caller], person=person):
        assert answer.status == 403, answer.body
        assert not scene().changed()
    elif caller == "stranger" and "{id}" in route.path and route.path.startswith("/api/v1/orgs/"):
        assert answer.status == 404, answer.body
    else:
        expected = BUSINESS.get(name_of(route), (200, ""))[0]
        assert answer.status in ({200, 201, 202, 204} if expected == 200 else {expected}), answer.body


@every_route
def test_nobody_may_do_nothing(route: Route) -> None:
    """Without a credential, and with one that nobody has."""
    answer = scene().ask(route, None)
    assert answer.status == 401
    assert not scene().changed()


@every_route
@pytest.mark.parametrize("caller", ["other", "other key"])
def test_another_organisations_owner_can_do_nothing_here(caller: str, route: Route) -> None:
    """What is named by its id does not exist; what is listed or made is the caller's own, and nothing here changes."""
    things, answer = scene().things, scene().ask(route, caller)
    assert not {text for text in things.texts() if text in str(answer.body) and text not in things.path(route)}
    before, after = (_of(connection, things.org_id) for connection in (scene().saved, scene().world.binding.connection))
    assert before == after
    if route.permission == "self" and caller == "other key":
        assert answer.status == 403
    elif "{" in route.path and name_of(route) not in OWN_NAMES:
        assert answer.status == 404, answer.body


# A model's name is each organisation's own; who signs in may call providers' models, and has sessions of its own.
OWN_NAMES = {"PUT /api/v1/models/{id:path}", "GET /v1/models/{model:path}", "DELETE /api/v1/sessions/{id}"}


def _of(connection: sqlite3.Connection, org_id: str) -> list[tuple[object, ...]]:
    return [
        tuple(row)
        for table, column in TENANT_COLUMNS.items()
        for row in connection.execute(f"SELECT * FROM {table} WHERE {column} = ? ORDER BY 1, 2", (org_id,))
    ]


@pytest.mark.parametrize("route", [route for route in PROTECTED if route.method != "GET"], ids=name_of)
def test_a_version_that_is_named_is_looked_at(route: Route) -> None:
    """Wherever a thing shows an ETag, whatever is done to it with `If-Match` asks for that version."""
    shown = THINGS.get(route.path.partition("/actions/")[0])
    if shown is None or "etag" not in scene().ask(shown, "owner").headers:
        assert name_of(route) not in VERSIONED
        return
    assert scene().ask(route, "owner", '"999"').status == 412
    assert not scene().changed()


THINGS = {route.path: route for route in PROTECTED if route.method == "GET"}
VERSIONED = {"DELETE /api/v1/orgs/{id}/members/{member_id}", "DELETE /api/v1/keys/{id}", "DELETE /api/v1/me"}


@pytest.mark.parametrize("route", OPERATORS, ids=name_of)
@pytest.mark.parametrize("caller", [*CALLERS, None])
def test_no_role_is_the_operators(caller: str | None, route: Route) -> None:
    """Not even an owner."""
    assert scene().ask(route, caller).status == 401


def test_enough_is_tried() -> None:
    """A list that shrinks by mistake would show nothing."""
    assert len(PROTECTED) * len(CALLERS) > 500
    assert {name_of(route) for route in PROTECTED} >= {*BODIES, *BUSINESS} - {name_of(route) for route in PUBLIC}
