"""`/api/v1/audit` and `/api/v1/me/events`: what was done, to whoever may know it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from lib.audit import audit_store
from lib.events.event import Event
from lib.events.event_store import noted
from lib.http.context import Context
from lib.http.memory import Memory
from lib.store.tenant import Org, Person
from tests.unit.fakes import NOW, run
from tests.unit.store.seeds import seed_org, seed_person
from tests.unit.world import World, new_world

AUDIT, EXPORT, OWN = "/api/v1/audit", "/api/v1/audit/export", "/api/v1/me/events"


def note(world: World, action: str, hours: int = 0, actor: str = "user:u", **more: Any) -> None:
    context = Context("request", "192.0.2.1")
    told = noted(
        world.parts.log_key, Event(action, Org(world.org_id), **more), actor, context, NOW + timedelta(hours=hours)
    )
    run(world.parts.database.batch(Org(world.org_id), [told]))


def actions(answer: Any) -> list[str]:
    return [event["action"] for event in answer.data]


def exported(world: World, query: str = "") -> list[Mapping[str, Any]]:
    answer = world.ask("GET", EXPORT + query)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
    *lines, end = map(json.loads, answer.body.splitlines())
    assert end == {"meta": {"next_cursor": None}}
    return lines


def test_an_event_says_everything_but_no_secret() -> None:
    """Who, what, to which, from where, when, how it ended; and its place in the chain."""
    world = new_world()
    note(world, "key.created", target="key:k", result="denied", details={"name": "x", "count": 2})
    [event] = world.ask("GET", AUDIT).data
    assert {name: event[name] for name in ("seq", "action", "actor", "target", "result", "address", "request_id")} == {
        "seq": 1,
        "action": "key.created",
        "actor": "user:u",
        "target": "key:k",
        "result": "denied",
        "address": "192.0.2.1",
        "request_id": "request",
    }
    assert event["details"] == {"name": "x", "count": 2}
    assert (event["previous_hash"], len(event["hash"])) == ("0" * 64, 64)
    assert exported(world) == [event]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["c", "b", "a"]),
        ("?action=b", ["b"]),
        ("?actor=key:k", ["c"]),
        ("?target=model:m", ["b"]),
        ("?result=failed", ["a"]),
        ("?action=b&actor=key:k", []),
        ("?from=2026-05-05", ["c"]),
        ("?to=2026-05-04T13:00:00Z", ["a"]),
        ("?from=2026-05-04T13:00:00Z&to=2026-05-04", ["b"]),
    ],
)
def test_filters(query: str, expected: list[str]) -> None:
    """Each alone and together; the export takes the same and tells the oldest first."""
    world = new_world()
    note(world, "a", result="failed")
    note(world, "b", hours=1, target="model:m")
    note(world, "c", hours=24, actor="key:k")
    assert actions(world.ask("GET", AUDIT + query)) == expected
    assert [event["action"] for event in exported(world, query)] == expected[::-1]


@pytest.mark.parametrize(
    "query", ["?limit=0", "?limit=101", "?result=maybe", "?from=yesterday", "?from=2026-05-06&to=2026-05-04", "?x=1"]
)
def test_what_makes_no_sense_is_refused(query: str) -> None:
    """With the name of the parameter."""
    assert new_world().ask("GET", AUDIT + query).status == 400


@pytest.mark.parametrize("cursor", ["x", "WyJ4Il0", "WyItMSJd", "WyI5OTk5OTk5OTk5OTk5OTk5OTk5Il0"])
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    """Whatever is in it."""
    answer = new_world().ask("GET", f"{AUDIT}?cursor={cursor}")
    assert (answer.status, answer.error["message"]) == (400, "The cursor is not one of ours.")


def test_pages() -> None:
    """By an opaque cursor, each event once; of the export there are none."""
    world = new_world()
    for number in range(5):
        note(world, str(number))
    first = world.ask("GET", f"{AUDIT}?limit=3")
    second = world.ask("GET", f"{AUDIT}?limit=3&cursor={first.body['meta']['next_cursor']}")
    assert (actions(first), actions(second)) == (["4", "3", "2"], ["1", "0"])
    assert second.body["meta"]["next_cursor"] is None
    whole = world.ask("GET", AUDIT, headers={"accept": "application/x-ndjson"})
    assert len(whole.body.splitlines()) == 5 + 1
    assert world.ask("GET", f"{AUDIT}?limit=3", headers={"accept": "application/x-ndjson"}).status == 400


def test_an_export_is_read_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one is in memory at a time, and none is left out between two."""
    monkeypatch.setattr("lib.audit.audit_store.EXPORT_ROWS", 2)
    world = new_world()
    for number in range(5):
        note(world, str(number))
    assert [event["action"] for event in exported(world)] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("looked_at", [1, 2, 5, 70, 1000])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("result=ok", [n for n in range(200) if n % 50]),
        ("result=denied", [0, 50, 100, 150]),
        ("result=denied&target=key:1", [50, 150]),
        ("from=2026-05-09&to=2026-05-10", list(range(108, 156))),
        ("from=2026-05-12&target=key:1", list(range(181, 200, 2))),
        ("to=2026-05-04&actor=nobody", []),
    ],
)
def test_what_no_index_gives_is_looked_for_among_so_many(
    monkeypatch: pytest.MonkeyPatch, looked_at: int, query: str, expected: list[int]
) -> None:
    """A page may be short or empty while there is a next one; all pages together, and the export, have everything."""
    monkeypatch.setattr(audit_store, "MOST_LOOKED_AT", looked_at)
    monkeypatch.setattr("lib.store.reading.MOST_QUERIES", 3000)
    world, found = many(), list[int]()
    cursor: str | None = ""
    while cursor is not None:
        answer = world.ask("GET", f"{AUDIT}?limit=100&{query}" + (f"&cursor={cursor}" if cursor else ""))
        found += map(int, actions(answer))
        cursor = answer.body["meta"]["next_cursor"]
    assert found == expected[::-1]
    assert [int(event["action"]) for event in exported(world, f"?{query}")] == expected


@cache
def many() -> World:
    """A world with an event an hour, of which each 50th was denied."""
    world = new_world()
    for number in range(200):
        result = "denied" if number % 50 == 0 else "ok"
        target = f"key:{number % 2 if number % 50 else number // 50 % 2}"
        note(world, str(number), hours=number, target=target, result=result)
    return world


def test_a_long_export_says_where_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """One body asks the store only so often; its last line has the cursor of the next."""
    monkeypatch.setattr(audit_store, "EXPORT_ROWS", 10)
    monkeypatch.setattr("lib.store.reading.MOST_QUERIES", 5)
    world, found = many(), list[int]()
    cursor: str | None = ""
    while cursor is not None:
        answer = world.ask("GET", EXPORT + (f"?cursor={cursor}" if cursor else ""))
        *lines, end = map(json.loads, answer.body.splitlines())
        assert len(lines) <= 50
        found += [int(event["action"]) for event in lines]
        cursor = end["meta"]["next_cursor"]
    assert found == list(range(200))


def test_an_export_that_the_isolate_has_no_room_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is read: a page of rows is held until a client has taken it, be it slow."""
    world = new_world()
    monkeypatch.setattr(Memory, "has_room", lambda *_: False)
    before = len(world.binding.statements)
    answer = world.ask("GET", EXPORT)
    assert (answer.status, answer.error["code"], answer.headers["retry-after"]) == (503, "overloaded", "1")
    assert not [sql for sql, _ in world.binding.statements[before:] if "FROM audit_events" in sql]
    assert world.ask("GET", AUDIT).status == 200


def test_an_organisation_sees_its_own() -> None:
    """And only who may: another key of the same organisation does not."""
    world = new_world()
    other = run(seed_org(world.parts.database))
    told = noted(world.parts.log_key, Event("theirs", Org(other)), "system", Context("r"), NOW)
    run(world.parts.database.batch(Org(other), [told]))
    note(world, "ours")
    assert actions(world.ask("GET", AUDIT)) == ["ours"]
    weak = world.new_key("keys:read").secret
    assert [world.ask("GET", path, key=weak).status for path in (AUDIT, EXPORT)] == [403, 403]
    assert world.ask("GET", AUDIT, key=None).status == 401


def test_a_person_sees_its_own() -> None:
    """What it did, and what was tried in its name; no key does."""
    world = new_world()
    database = world.parts.database
    own, other = run(seed_person(database)).id, run(seed_person(database, email="bob@example.com")).id
    for user_id, action in ((own, "user.signed_in"), (own, "user.sign_in_failed"), (other, "user.signed_in")):
        told = noted(world.parts.log_key, Event(action, Person(user_id)), f"user:{user_id}", Context("r"), NOW)
        run(database.batch(Person(user_id), [told]))
    assert actions(world.ask_as(own, "GET", OWN)) == ["user.sign_in_failed", "user.signed_in"]
    assert actions(world.ask_as(own, "GET", f"{OWN}?limit=1")) == ["user.sign_in_failed"]
    assert world.ask("GET", OWN).status == 403
    assert run(audit_store.of_person(database, other, 2**53, 10))[0].seq == 1
