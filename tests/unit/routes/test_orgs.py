"""`/api/v1/orgs`, from request to answer."""

from __future__ import annotations

import pytest

from lib.kernel.ids import new_id
from lib.orgs import org_service
from tests.unit.fakes import NOW, run
from tests.unit.sign_in.members import again, join, owned
from tests.unit.store.seeds import seed_org
from tests.unit.world import new_world

OWN = "/api/v1/orgs/current"
CHAT = {"model": "sim/chat", "messages": [{"role": "user", "content": "x"}]}


def test_the_organisation_is_shown_and_changed() -> None:
    """By its id or as `current`; what is not named stays, and the gate is told."""
    world = new_world()
    shown = world.ask("GET", OWN)
    assert (shown.status, shown.headers["etag"]) == (200, '"1"')
    assert shown.data == {
        "id": world.org_id,
        "name": "Acme",
        "time_zone": "UTC",
        "require_second_factor": False,
        "admission": "exact",
        "created_at": "2026-05-04T12:30:15.123456Z",
        "updated_at": "2026-05-04T12:30:15.123456Z",
    }
    assert world.ask("GET", f"/api/v1/orgs/{world.org_id}").data == shown.data
    world.clock.advance(seconds=1)
    moved = world.ask("PATCH", OWN, {"time_zone": "Asia/Tokyo"}, headers={"if-match": '"1"'})
    assert (moved.status, moved.headers["etag"], moved.data["name"]) == (200, '"2"', "Acme")
    changed = world.ask("PATCH", OWN, {"name": " Zürich "}, headers={"if-match": '"2"'})
    assert (changed.status, changed.headers["etag"]) == (200, '"3"')
    assert changed.data == {
        **shown.data,
        "name": "Zürich",
        "time_zone": "Asia/Tokyo",
        "updated_at": "2026-05-04T12:30:16.123456Z",
    }
    assert world.ask("GET", OWN).data == changed.data
    assert world.gates.told == ["accounts", "rules"] * 2
    assert world.gates.of(world.org_id)._book.policy.time_zone == "Asia/Tokyo"


def test_a_change_is_of_the_version_that_was_read() -> None:
    """412 for an old one, 428 for none; nothing is changed."""
    world = new_world()
    assert world.ask("PATCH", OWN, {"name": "x"}, headers={"if-match": '"2"'}).status == 412
    assert world.ask("PATCH", OWN, {"name": "x"}).status == 428
    assert world.ask("GET", OWN).data["name"] == "Acme"


def test_another_organisation_is_none() -> None:
    """404, whether there is one or not."""
    world = new_world()
    for other in (run(seed_org(world.parts.database)), new_id(NOW), "x"):
        assert world.ask("GET", f"/api/v1/orgs/{other}").status == 404
        assert world.ask("PATCH", f"/api/v1/orgs/{other}", {"name": "x"}, headers={"if-match": "*"}).status == 404


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"name": ""}, 400), ({"name": " "}, 400), ({"name": "x" * 201}, 400), ({"name": "a\nb"}, 400), ({"x": 1}, 400),
        ({"time_zone": ""}, 400), ({"time_zone": "x" * 65}, 400), ({"time_zone": 1}, 400),
        ({"require_second_factor": 1}, 400), ({"require_second_factor": "yes"}, 400),
        ({"admission": "near"}, 400), ({"admission": True}, 400), ({"admission": ""}, 400),
        ({"time_zone": "Mars/Olympus"}, 422), ({"time_zone": "America"}, 422), ({"time_zone": "../UTC"}, 422),
        ({"time_zone": "/etc/localtime"}, 422), ({"time_zone": "+02:00"}, 422), ({"time_zone": "ü"}, 422),
    ],
    ids=str,
)  # fmt: skip
def test_what_makes_no_sense_is_refused(fields: dict[str, object], status: int) -> None:
    """And nothing is changed, nor the gate told."""
    world = new_world()
    assert world.ask("PATCH", OWN, fields, headers={"if-match": "*"}).status == status
    assert world.ask("GET", OWN).headers["etag"] == '"1"'
    assert world.gates.changes == []


def test_a_person_makes_an_organisation_and_owns_it() -> None:
    """It is listed beside the others; to act there, the active one is changed."""
    world, owner = owned()
    made = owner.ask("POST", "/api/v1/orgs", {"name": " Another "})
    assert (made.status, made.data["name"], made.headers["location"]) == (
        201,
        "Another",
        f"/api/v1/orgs/{made.data['id']}",
    )
    listed = owner.ask("GET", "/api/v1/orgs").data
    assert {(org["id"], org["role"]) for org in listed} == {(world.org_id, "owner"), (made.data["id"], "owner")}
    assert owner.ask("GET", made.headers["location"]).status == 404
    there = again(owner, made.data["id"])
    assert there.ask("GET", made.headers["location"]).status == 200
    assert there.ask("POST", "/v1/chat/completions", CHAT).status == 200
    [event] = world.binding.rows("SELECT action, actor FROM audit_events WHERE org_id = ?", made.data["id"])
    assert (event["action"], event["actor"]) == ("org.created", f"user:{owner.id}")


def test_organisations_are_listed_page_by_page() -> None:
    """One's own alone."""
    world, owner = owned()
    stranger = join(world, None)
    for index in range(3):
        stranger.ask("POST", "/api/v1/orgs", {"name": f"Org {index}"})
    first = stranger.ask("GET", "/api/v1/orgs?limit=2")
    rest = stranger.ask("GET", f"/api/v1/orgs?limit=2&cursor={first.body['meta']['next_cursor']}")
    assert len({org["id"] for org in [*first.data, *rest.data]}) == 3
    assert [org["id"] for org in owner.ask("GET", "/api/v1/orgs").data] == [world.org_id]


def test_nobody_is_in_more_organisations_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    world, owner = owned()
    monkeypatch.setattr(org_service, "MOST_OF_ONE_PERSON", 1)
    refused = owner.ask("POST", "/api/v1/orgs", {"name": "x"})
    assert (refused.status, refused.error["code"]) == (409, "too_many_orgs")
    assert world.binding.rows("SELECT count(*) AS n FROM orgs")[0]["n"] == 1
    assert world.binding.rows("SELECT count(*) AS n FROM memberships")[0]["n"] == 1
    assert world.binding.rows("SELECT 1 FROM audit_events WHERE action = 'org.created'") == []
    monkeypatch.setattr(org_service, "MOST_OF_ONE_PERSON", 2)
    assert owner.ask("POST", "/api/v1/orgs", {"name": "x"}).status == 201
    assert owner.ask("POST", "/api/v1/orgs", {"name": "y"}).status == 409
    assert join(world, None).ask("POST", "/api/v1/orgs", {"name": "z"}).status == 201


def test_an_organisation_that_is_made_meanwhile_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """By another request of the same person, between this one's beginning and its group."""
    world, owner = owned()
    monkeypatch.setattr(org_service, "MOST_OF_ONE_PERSON", 2)

    def meanwhile() -> None:
        if any(sql.startswith("INSERT INTO orgs") for sql, _ in world.binding.statements[-6:]):
            world.binding.on_batch = lambda: None
            elsewhere = "elsewhere".ljust(36, "-")
            run_sql = world.binding.connection.execute
            run_sql("INSERT INTO orgs (id, name, created_at, updated_at) VALUES (?, 'E', 't', 't')", (elsewhere,))
            run_sql(
                "INSERT INTO memberships (org_id, user_id, role, created_at, updated_at)"
                " VALUES (?, ?, 'viewer', 't', 't')",
                (elsewhere, owner.id),
            )

    world.binding.on_batch = meanwhile
    assert owner.ask("POST", "/api/v1/orgs", {"name": "x"}).status == 409


def test_who_is_in_no_organisation_is_told_that_nothing_is_kept() -> None:
    """Rather than a key that is not heeded."""
    world, owner = owned()
    stranger, key = join(world, None), {"idempotency-key": "k"}
    refused = stranger.ask("POST", "/api/v1/orgs", {"name": "x"}, **key)
    assert (refused.status, refused.error["code"]) == (422, "idempotency_unavailable")
    first, again_ = (owner.ask("POST", "/api/v1/orgs", {"name": "x"}, **key) for _ in range(2))
    assert first.data["id"] == again_.data["id"]
    assert stranger.ask("POST", "/api/v1/orgs", {"name": "x"}).status == 201
