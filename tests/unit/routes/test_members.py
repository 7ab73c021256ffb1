"""`/api/v1/orgs/{id}/members`, and leaving."""

from __future__ import annotations

import pytest

from tests.unit.sign_in.members import Caller, again, events, join, owned
from tests.unit.sign_in.signed_in import Browser, add_user
from tests.unit.world import World


def last_owner(world: World) -> None:
    [owners] = world.binding.rows(
        "SELECT count(*) AS n FROM memberships WHERE org_id = ? AND role = 'owner'", world.org_id
    )
    assert owners["n"] == 1


def test_members_are_listed_page_by_page() -> None:
    """With their names, addresses and roles."""
    world, owner = owned()
    others = [join(world, "viewer", f"v{index}@example.com") for index in range(3)]
    first = owner.ask("GET", "members?limit=2")
    rest = owner.ask("GET", f"members?limit=2&cursor={first.body['meta']['next_cursor']}")
    assert [who["user_id"] for who in [*first.data, *rest.data]] == sorted(who.id for who in [owner, *others])
    assert rest.body["meta"]["next_cursor"] is None
    shown = owner.ask("GET", f"members/{others[0].id}")
    assert shown.data in [*first.data, *rest.data]
    assert (shown.data["email"], shown.data["role"], shown.data["custom_role_id"]) == ("v0@example.com", "viewer", None)
    assert "password" not in str(first.body)


def test_another_role_holds_at_once() -> None:
    """With the same token: what it may do is read when it is used. The gates are told, so no memory is older."""
    world, owner = owned()
    viewer = join(world, "viewer")
    assert viewer.ask("POST", "teams", {"name": "x"}).status == 403
    world.gates.changes.clear()
    changed = owner.ask("PATCH", f"members/{viewer.id}", {"role": "admin"})
    assert (changed.status, changed.data["role"]) == (200, "admin")
    assert changed.headers["etag"] == '"2"'
    assert world.gates.changes == [world.org_id]
    # A token that was made for less stays at that: what it may do is the smaller of both.
    assert again(viewer, world.org_id).ask("POST", "teams", {"name": "x"}).status == 201
    assert owner.ask("PATCH", f"members/{viewer.id}", {"role": "viewer"}).status == 200
    assert events(world)[:1] == [("member.changed", f"user:{viewer.id}")]


def test_fewer_rights_hold_for_the_token_that_was_made_before() -> None:
    """Revocation does not wait for a token's end."""
    world, owner = owned()
    admin = join(world, "admin")
    assert admin.ask("GET", "members").status == 200
    assert owner.ask("PATCH", f"members/{admin.id}", {"role": "billing"}).status == 200
    assert admin.ask("GET", "members").status == 403
    assert owner.ask("DELETE", f"members/{admin.id}").status == 204
    assert admin.ask("GET", "/api/v1/budgets").status in (401, 403)


def test_access_ends_with_the_membership() -> None:
    """For whatever the person has signed in with before; its own account stays."""
    world, owner = owned()
    person = add_user(world, "developer")
    browser = Browser.sign_in(world, person.id)
    app = again(Caller(world, person, ""), world.org_id)
    for caller in (browser, app):
        assert caller.ask("GET", "/api/v1/keys").status == 200
    assert owner.ask("DELETE", f"members/{person.id}").status == 204
    for caller in (browser, app):
        assert caller.ask("GET", "/api/v1/keys").status == 403
        assert caller.ask("POST", "/api/v1/keys", {"name": "x"}).status == 403
        assert caller.ask("GET", f"/api/v1/orgs/{world.org_id}").status in (403, 404)
        assert caller.ask("GET", "/api/v1/me").data["memberships"] == []


def test_calls_to_models_end_with_the_membership() -> None:
    """Also where the account is in the isolate's memory: its gate says that it is old."""
    world, owner = owned()
    developer = join(world, "developer")
    chat = {"model": "sim/chat", "messages": [{"role": "user", "content": "x"}]}
    assert developer.ask("POST", "/v1/chat/completions", chat).status == 200
    assert owner.ask("DELETE", f"members/{developer.id}").status == 204
    assert developer.ask("POST", "/v1/chat/completions", chat).status in (401, 403)


def test_the_last_owner_stays() -> None:
    """It is neither made less, nor removed, nor does it leave; a second owner sets it free."""
    world, owner = owned()
    for refused in (
        owner.ask("PATCH", f"members/{owner.id}", {"role": "admin"}),
        owner.ask("DELETE", f"members/{owner.id}"),
        owner.ask("POST", "actions/leave"),
    ):
        assert (refused.status, refused.error["code"]) == (409, "last_owner")
    last_owner(world)
    assert events(world) == []
    second = join(world, "owner", "second@example.com")
    assert owner.ask("POST", "actions/leave").status == 204
    assert second.ask("GET", f"members/{owner.id}").status == 404
    last_owner(world)
    assert second.ask("POST", "actions/leave").status == 409
    assert [action for action, _ in events(world)] == ["member.left"]


def test_the_last_owner_may_stay_an_owner() -> None:
    """Being made what one is takes nothing away."""
    _, owner = owned()
    assert owner.ask("PATCH", f"members/{owner.id}", {"role": "owner"}).status == 200


def test_an_owner_is_changed_by_owners_alone() -> None:
    """Nor does anybody below make one, itself included; nor a key that may do everything."""
    world, owner = owned()
    join(world, "owner", "second@example.com")
    admin = join(world, "admin")
    for refused in (
        admin.ask("PATCH", f"members/{owner.id}", {"role": "viewer"}),
        admin.ask("DELETE", f"members/{owner.id}"),
        admin.ask("PATCH", f"members/{admin.id}", {"role": "owner"}),
        admin.ask("POST", "invitations", {"email": "x@example.com", "role": "owner"}),
        world.ask("DELETE", f"/api/v1/orgs/current/members/{owner.id}"),
        world.ask("POST", "/api/v1/orgs/current/invitations", {"email": "x@example.com", "role": "owner"}),
    ):
        assert refused.status == 403, refused.body
    assert owner.member()["role"] == "owner"


def test_a_change_names_the_version_that_it_changes() -> None:
    """Two administrators: the later one is told that somebody was first."""
    world, owner = owned()
    viewer = join(world, "viewer")
    path = f"/api/v1/orgs/{world.org_id}/members/{viewer.id}"
    assert world.ask("PATCH", path, {"role": "billing"}, key=owner.token).status == 428
    assert owner.ask("PATCH", f"members/{viewer.id}", {"role": "billing"}, **{"if-match": '"1"'}).status == 200
    assert owner.ask("PATCH", f"members/{viewer.id}", {"role": "viewer"}, **{"if-match": '"1"'}).status == 412


def test_a_change_that_comes_between_is_noticed() -> None:
    """Somebody else is faster between our reading and our writing: nothing is done, and nothing logged."""
    world, owner = owned()
    viewer = join(world, "viewer")

    def meanwhile() -> None:
        if any("UPDATE memberships" in sql for sql, _ in world.binding.statements[-4:]):
            world.binding.on_batch = lambda: None
            world.binding.connection.execute("UPDATE memberships SET version = 9 WHERE user_id = ?", (viewer.id,))

    world.binding.on_batch = meanwhile
    assert owner.ask("PATCH", f"members/{viewer.id}", {"role": "admin"}).status == 412
    assert owner.member(viewer)["role"] == "viewer"
    assert events(world) == []


def test_who_leaves_is_in_no_team_any_more() -> None:
    """And can come back: its calls are counted on the same key."""
    world, owner = owned()
    viewer = join(world, "viewer")
    team = owner.ask("POST", "teams", {"name": "Search"}).data
    assert owner.ask("POST", f"teams/{team['id']}/actions/add", {"user_id": viewer.id}).data["members"]
    assert owner.ask("DELETE", f"members/{viewer.id}").status == 204
    assert owner.ask("GET", f"teams/{team['id']}").data["members"] == []
    assert world.binding.rows("SELECT 1 FROM team_members") == []


@pytest.mark.parametrize(
    "body", [{}, {"role": "king"}, {"role": "viewer", "custom_role_id": "0" * 36}, {"role": None}, {"x": 1}]
)
def test_what_a_member_shall_be_is_said_once(body: dict[str, object]) -> None:
    world, owner = owned()
    viewer = join(world, "viewer")
    assert owner.ask("PATCH", f"members/{viewer.id}", body).status == 400


@pytest.mark.parametrize("user_id", ["nonsense", "019df2f7-0000-7000-8000-000000000000"])
def test_nobody_is_no_member(user_id: str) -> None:
    """Neither is somebody who exists, elsewhere."""
    world, owner = owned()
    for who in (user_id, join(world, None).id):
        assert owner.ask("GET", f"members/{who}").status == 404
        assert owner.ask("DELETE", f"members/{who}").status == 404
        assert owner.ask("PATCH", f"members/{who}", {"role": "viewer"}).status == 404
