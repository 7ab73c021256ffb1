"""`/api/v1/orgs`, from request to answer."""

from __future__ import annotations

import pytest

from lib.ids import new_id
from tests.unit.fakes import NOW, run
from tests.unit.store.seeds import seed_org
from tests.unit.world import new_world

OWN = "/api/v1/orgs/current"


def test_the_organisation_is_shown_and_changed() -> None:
    """By its id or as `current`; what is not named stays, and the gate is told."""
    world = new_world()
    shown = world.ask("GET", OWN)
    assert (shown.status, shown.headers["etag"]) == (200, '"1"')
    assert shown.data == {
        "id": world.org_id,
        "name": "Acme",
        "time_zone": "UTC",
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
    assert world.gates.changes == [world.org_id] * 2
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
    for other in (run(seed_org(world.services.database)), new_id(NOW), "x"):
        assert world.ask("GET", f"/api/v1/orgs/{other}").status == 404
        assert world.ask("PATCH", f"/api/v1/orgs/{other}", {"name": "x"}, headers={"if-match": "*"}).status == 404


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"name": ""}, 400), ({"name": " "}, 400), ({"name": "x" * 201}, 400), ({"name": "a\nb"}, 400), ({"x": 1}, 400),
        ({"time_zone": ""}, 400), ({"time_zone": "x" * 65}, 400), ({"time_zone": 1}, 400),
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
