"""`/api/v1/orgs/{id}/teams`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lib.orgs import team_store
from lib.orgs.team_service import TEAM
from tests.unit.sign_in.members import events, join, owned
from tests.unit.world import new_world


def test_a_team_is_made_filled_renamed_and_deleted() -> None:
    """Doing a thing twice is harmless, and is logged once."""
    world, owner = owned()
    member = join(world, "viewer")
    answer = owner.ask("POST", "teams", {"name": "Search"})
    team = answer.data
    assert (answer.status, answer.headers["etag"], team["members"]) == (201, '"1"', [])
    place = f"teams/{team['id']}"
    first, second = (owner.ask("POST", f"{place}/actions/add", {"user_id": member.id}) for _ in range(2))
    assert [(who["user_id"], who["email"]) for who in first.data["members"]] == [(member.id, member.user.email)]
    assert owner.ask("GET", place).data == first.data == second.data
    renamed = owner.ask("PATCH", place, {"name": "Finding"})
    assert (renamed.data["name"], renamed.headers["etag"]) == ("Finding", '"2"')
    assert [listed["name"] for listed in owner.ask("GET", "teams").data] == ["Finding"]
    for _ in range(2):
        assert owner.ask("POST", f"{place}/actions/remove", {"user_id": member.id}).data["members"] == []
    assert owner.ask("DELETE", place, **{"if-match": '"1"'}).status == 412
    assert owner.ask("DELETE", place).status == 204
    assert owner.ask("GET", place).status == 404
    assert [action.partition(".")[2] for action, _ in events(world)] == [
        "created", "member_added", "changed", "member_removed", "deleted",
    ]  # fmt: skip


def test_only_members_come_into_a_team() -> None:
    """Nobody of elsewhere, nor somebody who has left."""
    world, owner = owned()
    place = f"teams/{owner.ask('POST', 'teams', {'name': 'Search'}).data['id']}"
    for who in (join(world, None).id, "019df2f7-0000-7000-8000-000000000000"):
        assert owner.ask("POST", f"{place}/actions/add", {"user_id": who}).status == 404
    assert owner.ask("POST", f"{place}/actions/add", {"user_id": "x"}).status == 400
    assert owner.ask("GET", place).data["members"] == []


def test_a_full_team_takes_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    world, owner = owned()
    monkeypatch.setattr(team_store, "MOST_MEMBERS", 1)
    place = f"teams/{owner.ask('POST', 'teams', {'name': 'Search'}).data['id']}"
    assert owner.ask("POST", f"{place}/actions/add", {"user_id": owner.id}).status == 200
    refused = owner.ask("POST", f"{place}/actions/add", {"user_id": join(world, "viewer").id})
    assert (refused.status, refused.error["code"]) == (409, "team_full")


def test_an_organisation_has_so_many_teams(monkeypatch: pytest.MonkeyPatch) -> None:
    _, owner = owned()
    monkeypatch.setattr("routes.api.teams.TEAM", replace(TEAM, table=replace(TEAM.table, most=1)))
    assert owner.ask("POST", "teams", {"name": "Search"}).status == 201
    refused = owner.ask("POST", "teams", {"name": "Ads"})
    assert (refused.status, refused.error["code"]) == (409, "too_many_teams")


def test_a_key_that_is_bound_to_addresses_works_from_there_on_an_organisations_own_path() -> None:
    """What may be is decided once, of all that is known: asked anew without the address, it was refused everywhere."""
    world = new_world()
    wanted = {"name": "x", "scopes": ["teams:read"], "ip_ranges": ["203.0.113.0/24"]}
    secret = world.ask("POST", "/api/v1/keys", wanted).data["secret"]
    for address, status in (("203.0.113.9", 200), ("198.51.100.1", 403)):
        answer = world.ask("GET", "/api/v1/orgs/current/teams", headers={"cf-connecting-ip": address}, key=secret)
        assert answer.status == status


def test_a_name_is_given_once() -> None:
    _, owner = owned()
    assert owner.ask("POST", "teams", {"name": "Search"}).status == 201
    other = owner.ask("POST", "teams", {"name": "Ads"}).data["id"]
    assert owner.ask("POST", "teams", {"name": "Search"}).error["code"] == "name_taken"
    assert owner.ask("PATCH", f"teams/{other}", {"name": "Search"}).error["code"] == "name_taken"


def test_teams_are_listed_page_by_page_by_name() -> None:
    _, owner = owned()
    for name in ("c", "a", "b"):
        owner.ask("POST", "teams", {"name": name})
    first = owner.ask("GET", "teams?limit=2")
    rest = owner.ask("GET", f"teams?limit=2&cursor={first.body['meta']['next_cursor']}")
    assert [team["name"] for team in [*first.data, *rest.data]] == ["a", "b", "c"]
