"""Linking: what is written gets its place, whoever dies between, and no gate stays untold."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lib.audit import audit_store, link_store, linking
from lib.audit.chain import Finding
from lib.events.event import Event
from lib.events.event_store import Log, noted, said
from lib.http.context import Context
from lib.kernel import failures
from lib.kernel.errors import Unavailable
from lib.kernel.failures import Failure
from lib.kernel.ids import first_id, new_id
from lib.store.database import StoreUnavailable
from lib.store.tenant import Org, Person
from tests.unit.audit.entries import chained, event, head_of
from tests.unit.fakes import NOW, run
from tests.unit.sign_in.members import join
from tests.unit.world import World, new_world
from tools.verify_audit import Report, examine

KEYS = "/api/v1/keys"


def leave(world: World, action: str, owner: Org | Person | None = None, **more: Any) -> None:
    """Write an event as a request does that dies before anything else."""
    told = Event(action, owner or Org(world.org_id), **more)
    run(world.parts.database.batch(told.owner, [noted(world.parts.log_key, told, "system", Context("r"), NOW)]))


def judged(world: World) -> Report:
    """Read all logs. The world's own organisation has no first row, and that is all."""
    report = examine(world.binding, "d1", world.parts.config.secret)  # type: ignore[arg-type]
    assert {flaw.finding for flaw in report.flaws} <= {Finding.EMPTIED}
    return report


def linked(world: World, log: Log = Log.ORG) -> int:
    return len(world.binding.rows(f"SELECT seq FROM {log.links}"))


def test_what_a_request_has_written_is_linked_behind_its_answer() -> None:
    """And nothing is told twice: the gates knew it before the answer."""
    world = new_world()
    key = world.ask("POST", KEYS, {"name": "x"}).data["id"]
    world.gates.told.clear()
    world.ask("DELETE", f"{KEYS}/{key}")
    assert (linked(world), judged(world).heads["audit_events"][world.org_id].seq) == (2, 2)
    assert world.gates.told == ["accounts"]


@pytest.mark.parametrize(
    ("action", "result", "told"),
    [
        ("key.created", "ok", []),
        ("key.revoked", "ok", ["accounts"]),
        ("key.revoked", "denied", []),
        ("limit.created", "ok", ["rules"]),
    ],
)
def test_what_a_request_has_left_is_told_and_linked(action: str, result: str, told: list[str]) -> None:
    """By the hourly work; a second run finds nothing."""
    world = new_world()
    leave(world, action, result=result)
    for done in (1, 0):
        assert run(linking.link_left(world.parts)) == done
    assert (world.gates.told, linked(world)) == (told, 1)
    judged(world)


@pytest.mark.parametrize(("seconds", "told"), [(0, []), (14, []), (16, ["accounts"])])
def test_what_another_has_left_is_told_by_who_comes_next(seconds: int, told: list[str]) -> None:
    """Once whoever has written it must be dead: until then it tells of it itself, and once is enough."""
    world = new_world()
    leave(world, "key.revoked")
    world.clock.advance(seconds=seconds)
    world.ask("POST", KEYS, {"name": "x"})
    assert (world.gates.told, linked(world)) == (told, 2)


def test_a_persons_event_that_was_left_reaches_all_its_organisations() -> None:
    """Its own log is no organisation's: without this its tokens would go on to their ends."""
    world = new_world()
    person = join(world, "admin")
    run(linking.link_left(world.parts))
    world.gates.told.clear()
    leave(world, "user.password_changed", Person(person.id))
    before = linked(world, Log.PERSON)
    assert run(linking.link_left(world.parts)) == 1
    assert (world.gates.told, linked(world, Log.PERSON)) == (["accounts"], before + 1)
    judged(world)


def test_a_gate_that_is_away_is_told_the_next_time() -> None:
    """The log stays without its link as long: what is linked has been told."""
    world = new_world()
    key = world.ask("POST", KEYS, {"name": "x"}).data["id"]
    world.gates.failure = Unavailable("away", code="gate_unavailable")
    before = failures.counts().get("events_unlinked", 0)
    assert world.ask("DELETE", f"{KEYS}/{key}").status == 503
    assert run(linking.link_left(world.parts)) == 0
    assert failures.counts()[Failure.EVENTS_UNLINKED.name.lower()] == before + 2
    assert linked(world) == 1
    world.gates.failure = None
    assert run(linking.link_left(world.parts)) == 1
    assert (world.gates.told[-1], linked(world)) == ("accounts", 2)
    judged(world)


def test_a_store_that_goes_away_takes_no_answer_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The change is written and answered; its link waits, and the log shows it as it will be."""

    async def away(*_: object) -> None:
        raise StoreUnavailable("away")

    world = new_world()
    with monkeypatch.context() as patch:
        patch.setattr(link_store, "write", away)
        assert world.ask("POST", KEYS, {"name": "x"}).status == 201
    [shown] = world.ask("GET", "/api/v1/audit").data
    assert linked(world) == 0
    run(linking.link_left(world.parts))
    assert world.ask("GET", "/api/v1/audit").data == [shown]
    assert (shown["previous_hash"], len(shown["hash"])) == (link_store.EMPTY.hash, 64)
    assert world.binding.rows("SELECT hash FROM audit_links") == [{"hash": shown["hash"]}]


def test_who_is_slower_goes_on_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two link at once: the other has written the first rows, and the primary key says so."""
    world, write = new_world(), link_store.write
    owner = Org(world.org_id)
    leave(world, "key.created")
    leave(world, "key.created")
    calls: list[int] = []

    async def late(database: Any, of: Any, links: Any, now: Any) -> None:
        made = list(links)
        if not calls:
            await write(database, of, made[:1], now)
        calls.append(len(made))
        await write(database, of, made, now)

    monkeypatch.setattr(link_store, "write", late)
    assert run(linking.link(world.parts, owner)) == 1
    assert (calls, linked(world)) == ([2, 1], 2)
    judged(world)


@pytest.mark.parametrize("most", [1, 2, 500])
def test_rows_of_an_earlier_release_keep_their_hashes(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """A chain that nobody has carried over is taken up from its first row, piece by piece; the list shows the same
    before and after.
    """
    monkeypatch.setattr(audit_store, "MOST_FOLLOWED", most)
    world = new_world()
    first = chained(world.parts.log_key, event(0, owner=world.org_id), None)
    old = [first, chained(world.parts.log_key, event(1, owner=world.org_id), first)]
    insert = "INSERT INTO audit_events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    for row in old:
        _, owner, *parts, at = said(row.entry)
        world.binding.connection.execute(insert, [owner, row.seq, *parts, row.previous_hash, row.hash, at, at])
    leave(world, "key.created")
    shown = world.ask("GET", "/api/v1/audit").data
    assert [each["hash"] for each in shown[:0:-1]] == [head_of(row).hash for row in old]
    assert shown[0]["previous_hash"] == old[-1].hash
    assert run(linking.link(world.parts, Org(world.org_id))) == 3
    assert world.ask("GET", "/api/v1/audit").data == shown
    judged(world)


def test_what_is_looked_for_is_what_is_new() -> None:
    """By the ids, which sort by time: all since the last runs, and none of long ago."""
    for seconds in (-86_400, 0, 1):
        made = new_id(NOW + timedelta(seconds=seconds))
        assert (made >= first_id(NOW)) is (seconds >= 0)
    world = new_world()
    leave(world, "key.created")
    world.clock.advance(seconds=(linking.LOOK_BACK + timedelta(hours=1)).total_seconds())
    assert run(linking.link_left(world.parts)) == 0
