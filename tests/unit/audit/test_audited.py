"""Groups with events: change and event together or neither, and one chain whoever else writes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest

from lib.audit import audit_store
from lib.audit.audited import MOST_TRIES, AuditedDatabase, DatabaseAround
from lib.audit.chain import EMPTY, Head, Log, flaws, link_of, linked
from lib.events.event import Event, noted
from lib.http.context import Context
from lib.kernel.ids import new_id
from lib.kernel.turns import Turns
from lib.store.database import (
    Database,
    ForeignKeyViolation,
    Statement,
    StoreError,
    StoreUnavailable,
    TenantViolation,
    UniqueViolation,
)
from lib.store.dialect import SQLITE
from lib.store.schema import AuditEventRow
from lib.store.tenant import Org, Person, Tenant
from tests.unit.audit.entries import KEY, event
from tests.unit.fakes import NOW, AsyncioBell, FakeClock, run
from tests.unit.store.seeds import seed_org
from tests.unit.store.sqlite_binding import SqliteBinding, new_database

CONTEXT = Context("r", "192.0.2.1")
INSERT_TEAM = "INSERT INTO teams (id, org_id, name, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)"
INSERT_MEMBER = (
    "INSERT INTO team_members (org_id, team_id, user_id, created_at, updated_at) VALUES (?1, ?2, ?2, ?3, ?3)"
)


class Audited:
    """An organisation in a store whose events get their places."""

    def __init__(self) -> None:
        self.plain: Database
        self.binding: SqliteBinding
        self.plain, self.binding = new_database()
        self.database = AuditedDatabase(self.plain, KEY)
        self.org_id = run(seed_org(self.plain))

    def event(self, action: str = "x", only_if: Statement | None = None) -> list[Statement]:
        return [noted(Event(action, Org(self.org_id)), "system", CONTEXT, NOW, only_if)]

    def team(self, name: str) -> Statement:
        return Statement(INSERT_TEAM, (new_id(NOW), self.org_id, name, NOW))

    def batch(self, *statements: Statement) -> list[int]:
        return run(self.database.batch(Org(self.org_id), statements))

    def actions(self) -> list[str]:
        rows = self.binding.rows("SELECT action FROM audit_events ORDER BY seq")
        return [str(row["action"]) for row in rows]

    def teams(self) -> int:
        return len(self.binding.rows("SELECT id FROM teams"))

    def is_whole(self) -> bool:
        sql = f"SELECT {audit_store._ORG_COLUMNS} FROM audit_events WHERE org_id = ? ORDER BY seq"
        rows = run(self.plain.query(Org(self.org_id), AuditEventRow, sql, self.org_id))
        return not list(flaws([KEY], Log.ORG, map(link_of, rows)))

    def others_are_faster(self, times: int) -> None:
        """Before each of the next groups that write, let somebody else add an event."""
        left = times

        def hurry() -> None:
            nonlocal left
            if left > 0 and self.binding.statements[-1][0].startswith("INSERT INTO audit_events"):
                left -= 1
                rows = self.binding.rows("SELECT seq, hash FROM audit_events ORDER BY seq DESC LIMIT 1")
                head = Head(**rows[0]) if rows else EMPTY  # type: ignore[arg-type]
                made = audit_store.insert(linked(KEY, event(owner=self.org_id, action="faster"), head), None)
                self.binding.connection.execute(made.sql, [SQLITE.encode(value) for value in made.values])

        self.binding.on_batch = hurry


def test_a_change_and_its_event_happen_together() -> None:
    """One group; the chain goes on from row to row."""
    audited = Audited()
    assert audited.batch(audited.team("a"), *audited.event("one")) == [1, 1]
    assert audited.batch(*audited.event("two"), audited.team("b")) == [1, 1]
    assert (audited.actions(), audited.teams()) == (["one", "two"], 2)
    assert audited.is_whole()


def test_an_event_is_not_there_without_its_change() -> None:
    """The change is refused: so is the event, and the caller hears why."""
    audited = Audited()
    audited.batch(audited.team("a"), *audited.event())
    with pytest.raises(UniqueViolation):
        audited.batch(*audited.event("never"), audited.team("a"))
    with pytest.raises(ForeignKeyViolation):
        audited.batch(Statement(INSERT_MEMBER, (audited.org_id, new_id(NOW), NOW)), *audited.event("never"))
    assert (audited.actions(), audited.teams()) == (["x"], 1)


def test_a_condition_makes_the_event_as_conditional_as_its_change() -> None:
    """Of two who change one version, one is noted."""
    audited = Audited()
    audited.batch(audited.team("a"))
    [team] = audited.binding.rows("SELECT id FROM teams")
    asked = "SELECT 1 FROM teams WHERE org_id = ? AND id = ? AND version = ?"
    change = "UPDATE teams SET version = version + 1, updated_at = ? WHERE org_id = ? AND id = ? AND version = ?"
    wanted = (audited.org_id, str(team["id"]), 1)
    for made in (1, 0):
        conditional = audited.event("team.update", Statement(asked, wanted))
        assert audited.batch(*conditional, Statement(change, (NOW, *wanted))) == [made, made]
    assert audited.actions() == ["team.update"]
    audited.batch(*audited.event("after"))
    assert audited.is_whole()


def test_who_was_slower_begins_again() -> None:
    """Another row has taken the number: the whole group is refused, and is sent again behind that row."""
    audited = Audited()
    audited.batch(*audited.event("first"))
    audited.others_are_faster(3)
    assert audited.batch(audited.team("a"), *audited.event("slow")) == [1, 1]
    assert audited.actions() == ["first", "faster", "faster", "faster", "slow"]
    assert audited.teams() == 1
    assert audited.is_whole()


def test_who_never_wins_is_told_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many tries; nothing of the group has happened."""
    monkeypatch.setattr(asyncio, "sleep", _at_once)
    audited = Audited()
    audited.others_are_faster(MOST_TRIES)
    with pytest.raises(StoreUnavailable):
        audited.batch(audited.team("a"), *audited.event("slow"))
    assert audited.teams() == 0
    assert audited.is_whole()


class DistantDatabase(DatabaseAround):
    """Takes a while for each group, so that others come in between."""

    async def batch(self, scope: Tenant, statements: Sequence[Statement]) -> list[int]:
        await asyncio.sleep(0.001)
        return await super().batch(scope, statements)


def test_the_writers_of_one_isolate_take_turns() -> None:
    """Side by side, each group is sent once: none is refused for the number that another has taken."""
    audited = Audited()
    database = AuditedDatabase(DistantDatabase(audited.plain), KEY, Turns(AsyncioBell, FakeClock()))

    async def all_write() -> None:
        writes = [[audited.team(name), *audited.event(name)] for name in "abcdefgh"]
        await asyncio.gather(*(database.batch(Org(audited.org_id), write) for write in writes))

    run(all_write())
    sent = [sql for sql, _ in audited.binding.statements if sql.startswith("INSERT INTO audit_events")]
    assert (audited.actions(), len(sent)) == (list("abcdefgh"), 8)
    assert audited.is_whole()


async def _at_once(_seconds: float) -> None:
    """Sleep no time."""


def test_several_events_of_one_group_follow_each_other() -> None:
    """In their order."""
    audited = Audited()
    audited.batch(*audited.event("one"), *audited.event("two"), *audited.event("three"))
    assert audited.actions() == ["one", "two", "three"]
    assert audited.is_whole()


def test_a_condition_beside_another_event_is_refused() -> None:
    """If it did not hold, the next event would name a row that is not there."""
    audited = Audited()
    conditional = audited.event("x", Statement("SELECT 1 FROM teams WHERE org_id = ?", (audited.org_id,)))
    with pytest.raises(ValueError, match="only one"):
        audited.batch(*conditional, *audited.event())


def test_an_event_without_its_place_can_not_be_written() -> None:
    """A store that does not give it one refuses it, so no event is lost in silence."""
    audited = Audited()
    with pytest.raises(StoreError):
        run(audited.plain.batch(Org(audited.org_id), audited.event()))
    assert audited.actions() == []


@pytest.mark.parametrize(
    "verb", ["UPDATE audit_events SET details = '' WHERE org_id = ?", "DELETE FROM audit_events WHERE org_id = ?"]
)
def test_rows_are_only_ever_added(verb: str) -> None:
    """On D1 too, where no right can be taken away: such a statement of ours is refused before it is sent."""
    audited = Audited()
    audited.batch(*audited.event())
    with pytest.raises(TenantViolation):
        run(audited.database.execute(Org(audited.org_id), verb, audited.org_id))
    assert audited.is_whole()


def test_an_event_belongs_to_who_it_names() -> None:
    """No group of one organisation adds to another's log, or to a person's."""
    audited = Audited()
    other = run(seed_org(audited.plain))
    with pytest.raises(TenantViolation):
        run(audited.database.batch(Org(audited.org_id), [noted(Event("x", Org(other)), "system", CONTEXT, NOW)]))
    with pytest.raises(TenantViolation):
        run(audited.database.batch(Org(audited.org_id), [noted(Event("x", Person(other)), "system", CONTEXT, NOW)]))


def test_a_person_has_a_chain_too() -> None:
    """Its own events, newest first."""
    audited = Audited()
    user_id = new_id(NOW)
    sql = "INSERT INTO users (id, email, name, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)"
    user = Statement(sql, (user_id, "a@b.example", "A", NOW))
    run(audited.database.batch(Person(user_id), [user, noted(Event("sign_up", Person(user_id)), "u", CONTEXT, NOW)]))
    run(
        audited.database.batch(
            Person(user_id), [noted(Event("sign_in", Person(user_id), details={"way": "x"}), "u", CONTEXT, NOW)]
        )
    )
    rows = run(audit_store.of_person(audited.database, user_id, audit_store.BEYOND_ALL, 10))
    assert [(row.seq, row.action, json.loads(row.details)) for row in rows] == [
        (2, "sign_in", {"way": "x"}),
        (1, "sign_up", {}),
    ]
    assert not list(flaws([KEY], Log.PERSON, map(link_of, reversed(rows))))
    assert run(audit_store.head(audited.database, Log.PERSON, user_id)) == Head(2, rows[0].hash)
    assert run(audit_store.head(audited.database, Log.ORG, audited.org_id)) == EMPTY
