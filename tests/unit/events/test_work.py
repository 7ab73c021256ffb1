"""A change, its event and the gates: in this order, all of it or a caller who knows."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from lib.events.event import EVENTS, Event, Policy, policy_of
from lib.events.work import Work
from lib.kernel.errors import Unavailable
from lib.kernel.ids import new_id
from lib.store.conditions import found
from lib.store.database import Statement, StoreUnavailable, UniqueViolation
from lib.store.tenant import Org, Person
from tests.unit.fakes import NOW, run
from tests.unit.sign_in.members import Caller, join
from tests.unit.source_tree import modules
from tests.unit.store.seeds import seed_org
from tests.unit.world import World, new_world

TEAM = new_id(NOW)
INSERT = "INSERT INTO teams (id, org_id, name, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)"


def work_of(world: World) -> Work:
    return world.parts.work("user:u")


def team(world: World, name: str = "a") -> Statement:
    return Statement(INSERT, (TEAM, world.org_id, name, NOW))


def event(world: World, name: str = "team.deleted", **parts: str) -> Event:
    return Event(name, Org(world.org_id), "team:t", **parts)  # type: ignore[arg-type]


def in_two(world: World) -> tuple[Caller, str]:
    """Return somebody who is in the world's organisation and in another, and that one."""
    person, other = join(world, "admin"), run(seed_org(world.parts.database, "other"))
    sql = "INSERT INTO memberships (org_id, user_id, role, created_at, updated_at) VALUES (?1, ?2, 'viewer', ?3, ?3)"
    run(world.parts.database.execute(Org(other), sql, other, person.id, NOW))
    world.gates.changes.clear()
    return person, other


def noted(world: World) -> list[str]:
    return [str(row["action"]) for row in world.binding.rows("SELECT action FROM audit_events ORDER BY seq")]


def teams(world: World) -> int:
    return len(world.binding.rows("SELECT id FROM teams"))


@pytest.mark.parametrize(
    ("name", "rule", "told"),
    [
        ("team.created", None, []),
        ("team.deleted", None, ["accounts"]),
        ("limit.created", None, ["rules"]),
        ("org.updated", None, ["accounts", "rules"]),
        ("key.minted", '{"gone":"x"}', ["rule"]),
    ],
)
def test_the_gate_is_told_what_the_event_means(name: str, rule: str | None, told: list[str]) -> None:
    """By its name; of one rule where that is all."""
    world = new_world()
    assert run(work_of(world).commit(event(world, name, **({"rule": rule} if rule else {})), team(world)))
    assert (noted(world), teams(world)) == ([name], 1)
    assert (world.gates.told, set(world.gates.changes)) == (told, {world.org_id} if told else set())


def test_a_persons_event_is_told_to_all_its_organisations() -> None:
    """Each holds what the person may do there; of two events each hears once."""
    world = new_world()
    person, other = in_two(world)
    ended = Event("session.all_ended", Person(person.id))
    assert run(work_of(world).commit(ended))
    assert sorted(world.gates.changes) == sorted([world.org_id, other])
    world.gates.changes.clear()
    run(work_of(world).tell(ended, ended, event(world)))
    assert sorted(world.gates.changes) == sorted([world.org_id, other])


@pytest.mark.parametrize("away", [0, 1])
def test_a_gate_that_is_away_keeps_no_other_from_hearing(away: int) -> None:
    """Whoever signs out everywhere can't do it again with what it has ended: the others must know at once."""
    world = new_world()
    person, other = in_two(world)
    orgs = sorted([world.org_id, other])
    world.gates.away = {orgs[away]}
    with pytest.raises(Unavailable):
        run(work_of(world).commit(Event("session.all_ended", Person(person.id))))
    assert world.gates.changes == [orgs[1 - away]]


@pytest.mark.parametrize("there", [True, False])
def test_a_condition_is_that_of_the_event(there: bool) -> None:
    """Whether it is asked before the change or behind it; the gate is told again in any case."""
    world = new_world()
    row = found("teams", world.org_id, TEAM)
    assert run(work_of(world).commit(event(world, "team.created"), *[team(world)] * there, if_made=row)) is there
    assert run(work_of(world).commit(event(world), only_if=row)) is there
    assert noted(world) == ["team.created", "team.deleted"] * there
    assert world.gates.told == ["accounts"]


def test_who_dies_before_the_gate_knows_leaves_its_event_to_be_found() -> None:
    """The change stands; its caller hears 503, or nothing at all. Who repeats it tells the gate."""
    world = new_world()
    world.gates.failure = Unavailable("away", code="gate_unavailable")
    with pytest.raises(Unavailable):
        run(work_of(world).commit(event(world), team(world)))
    assert (noted(world), teams(world), world.gates.told) == (["team.deleted"], 1, [])
    assert Policy.ACCOUNTS in policy_of("team.deleted")  # so the gate takes it up when it looks
    world.gates.failure = None
    assert not run(work_of(world).commit(event(world), only_if=found("teams", world.org_id, new_id(NOW))))
    assert world.gates.told == ["accounts"]


@pytest.mark.parametrize(("statements", "failure"), [(2, UniqueViolation), (1, StoreUnavailable)])
def test_nothing_is_told_of_what_was_not_written(statements: int, failure: type[Exception]) -> None:
    """Refused by the store, or broken off: neither the event nor the gate says anything."""
    world = new_world()
    work = work_of(world)
    if failure is StoreUnavailable:
        work = replace(work, database=_Away())  # type: ignore[arg-type]
    with pytest.raises(failure):
        run(work.commit(event(world), *[team(world)] * statements))
    assert (noted(world), teams(world), world.gates.told) == ([], 0, [])


class _Away:
    async def batch(self, *_: object) -> list[int]:
        raise StoreUnavailable("away")


def test_the_catalogue_names_the_events_that_there_are() -> None:
    """Each that the source writes, and no other: what is not in it means everything to a gate."""
    kinds = "|".join(sorted({name.partition(".")[0] for name in EVENTS}))
    name = re.compile(rf'"((?:{kinds})\.[a-z_]+)"')
    written = {each for m in modules() if m.name != "lib.events.event" for each in name.findall(m.text)}
    assert written == set(EVENTS)
    assert policy_of("later.release") == Policy.ACCOUNTS | Policy.RULES
