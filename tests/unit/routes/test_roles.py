"""`/api/v1/orgs/{id}/roles`: an organisation's own roles."""

from __future__ import annotations

import pytest

from lib.orgs.role_service import ROLES
from tests.unit.sign_in.members import Caller, again, events, join, owned
from tests.unit.world import World


def new_role(owner: Caller, *permissions: str, name: str = "Auditor") -> str:
    answer = owner.ask("POST", "roles", {"name": name, "permissions": list(permissions)})
    assert answer.status == 201, answer.body
    return str(answer.data["id"])


def test_a_role_is_made_read_changed_and_deleted() -> None:
    world, owner = owned()
    answer = owner.ask("POST", "roles", {"name": " Auditor ", "permissions": ["usage:read", "audit:read"]})
    made = answer.data
    assert (answer.status, answer.headers["etag"]) == (201, '"1"')
    assert answer.headers["location"] == f"/api/v1/orgs/{world.org_id}/roles/{made['id']}"
    assert (made["name"], made["permissions"]) == ("Auditor", ["audit:read", "usage:read"])
    assert owner.ask("GET", answer.headers["location"]).data == made
    changed = owner.ask("PATCH", f"roles/{made['id']}", {"permissions": []})
    assert (changed.data["name"], changed.data["permissions"], changed.headers["etag"]) == ("Auditor", [], '"2"')
    assert owner.ask("GET", "roles").data == [changed.data]
    assert owner.ask("DELETE", f"roles/{made['id']}").status == 204
    assert owner.ask("GET", f"roles/{made['id']}").status == 404
    assert [action for action, _ in events(world)] == ["role.created", "role.changed", "role.deleted"]


def test_a_member_may_do_what_its_custom_role_says_and_nothing_else() -> None:
    """Not what its role would allow; and a change of the role holds at once for all who have it."""
    world, owner = owned()
    member = join(world, "developer")
    role_id = new_role(owner, "teams:write", "keys:read")
    shown = owner.ask("PATCH", f"members/{member.id}", {"custom_role_id": role_id})
    assert (shown.data["role"], shown.data["custom_role_id"]) == ("viewer", role_id)
    member = again(member, world.org_id)
    assert member.ask("POST", "teams", {"name": "x"}).status == 201
    assert member.ask("GET", "teams").status == 403
    assert member.ask("POST", "/api/v1/keys", {"name": "x"}).status == 403
    world.gates.changes.clear()
    assert owner.ask("PATCH", f"roles/{role_id}", {"permissions": ["keys:read"]}).status == 200
    assert world.gates.changes == [world.org_id]
    assert member.ask("POST", "teams", {"name": "y"}).status == 403


def test_a_role_that_somebody_has_is_kept() -> None:
    """Its members would be left with nothing that tells what they may do."""
    world, owner = owned()
    member, role_id = join(world, "viewer"), new_role(owner)
    owner.ask("PATCH", f"members/{member.id}", {"custom_role_id": role_id})
    refused = owner.ask("DELETE", f"roles/{role_id}")
    assert (refused.status, refused.error["code"]) == (409, "role_in_use")
    owner.ask("PATCH", f"members/{member.id}", {"role": "viewer"})
    assert owner.ask("DELETE", f"roles/{role_id}").status == 204


def test_nobody_makes_gives_or_changes_a_role_above_itself() -> None:
    """Who manages members and roles can't become more by it."""
    world, owner = owned()
    above = new_role(owner, "orgs:write", "audit:read", name="Above")
    manager = join(world, "viewer", "manager@example.com")
    managing = new_role(owner, "roles:write", "roles:read", "members:write", "members:read", name="Manager")
    owner.ask("PATCH", f"members/{manager.id}", {"custom_role_id": managing})
    manager = again(manager, world.org_id)
    for refused in (
        manager.ask("POST", "roles", {"name": "x", "permissions": ["orgs:write"]}),
        manager.ask("PATCH", f"roles/{above}", {"permissions": []}),
        manager.ask("PATCH", f"roles/{managing}", {"permissions": ["roles:write", "audit:read"]}),
        manager.ask("DELETE", f"roles/{above}"),
        manager.ask("PATCH", f"members/{manager.id}", {"custom_role_id": above}),
        manager.ask("PATCH", f"members/{manager.id}", {"role": "admin"}),
        manager.ask("DELETE", f"members/{join(world, 'admin').id}"),
    ):
        assert refused.status == 403, refused.body
    assert manager.ask("POST", "roles", {"name": "Less", "permissions": ["roles:read"]}).status == 201


def test_a_name_is_given_once() -> None:
    """In one organisation."""
    _, owner = owned()
    new_role(owner)
    other = new_role(owner, name="Other")
    again_ = owner.ask("POST", "roles", {"name": "Auditor", "permissions": []})
    assert (again_.status, again_.error["code"]) == (409, "name_taken")
    assert owner.ask("PATCH", f"roles/{other}", {"name": "Auditor"}).status == 409


def test_an_organisation_has_so_many_roles() -> None:
    world, owner = owned()
    fill(world, ROLES.most)
    refused = owner.ask("POST", "roles", {"name": "One more", "permissions": []})
    assert (refused.status, refused.error["code"]) == (409, "too_many_roles")
    assert events(world) == []


def fill(world: World, number: int) -> None:
    for index in range(number):
        world.binding.connection.execute(
            "INSERT INTO roles (id, org_id, name, permissions, created_at, updated_at)"
            " VALUES (?, ?, ?, '[]', 't', 't')",
            (str(index).ljust(36, "-"), world.org_id, f"Role {index}"),
        )


@pytest.mark.parametrize(
    "body",
    [
        {"name": "", "permissions": []},
        {"name": "x" * 101, "permissions": []},
        {"name": "a\u0000b", "permissions": []},
        {"name": "x", "permissions": ["everything"]},
        {"name": "x", "permissions": ["self"]},
        {"name": "x"},
        {"name": "x", "permissions": [], "x": 1},
    ],
)
def test_what_is_no_role_is_refused(body: dict[str, object]) -> None:
    _, owner = owned()
    assert owner.ask("POST", "roles", body).status == 400


def test_the_version_that_is_changed_must_be_the_current_one() -> None:
    world, owner = owned()
    role_id = new_role(owner)
    path = f"/api/v1/orgs/{world.org_id}/roles/{role_id}"
    assert world.ask("PATCH", path, {"name": "x"}, key=owner.token).status == 428
    for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
        assert owner.ask(method, f"roles/{role_id}", body, **{"if-match": '"7"'}).status == 412
