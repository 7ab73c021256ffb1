"""The audit log on each store, while many write and link at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from lib.audit.chain import Row, flaws
from lib.audit.link_store import Link
from lib.events.event_store import Entry, log_of
from lib.kernel.ids import new_id
from lib.store.database import Statement, StoreError, TenantViolation, UniqueViolation
from lib.store.tenant import Org, Person
from tests.contract.support.store_client import Call, audited
from tests.contract.support.store_rows import models
from tests.contract.support.store_targets import NOW, Target, model_statement
from tests.contract.worker.calls import LOG_KEY

WRITERS = 24
BUMP = "UPDATE models SET version = version + 1 WHERE org_id = ? AND id = 'm' AND version = ?"
UNCHANGED = "SELECT 1 FROM models WHERE org_id = ? AND id = 'm' AND version = ?"
INSERT_USER = "INSERT INTO users (id, email, name, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)"
SAID = ("id", "action", "actor", "target", "result", "address", "request_id", "details")


@dataclass(frozen=True)
class Logged:
    """A row of a log: its number, what was done, and who did it."""

    seq: int
    action: str
    actor: str


def rows(target: Target, owner: Org | Person, *, linked: bool = False) -> Sequence[Logged]:
    """Return the rows of a log, each as it was written, and all linked or none."""
    log = log_of(owner)
    hints: dict[str, Any] = {
        "seq": int,
        **dict.fromkeys((*SAID, "previous_hash", "hash"), str),
        "created_at": type(NOW),
    }
    listed = ", ".join(f"events.{name}" for name in hints)
    sql = (
        f"SELECT {listed}, links.previous_hash AS before, links.hash AS link FROM {log} AS events"
        f" LEFT JOIN {log.links} AS links ON links.{log.owner_column} = events.{log.owner_column}"
        f" AND links.seq = events.seq WHERE events.{log.owner_column} = ? ORDER BY events.seq"
    )
    found = []
    for seq, *said, previous, own, at, before, link in target.client.query(
        owner, hints | {"before": str, "link": str}, sql, owner.id
    ):
        entry = Entry(log, owner.id, at=at, **dict(zip(SAID, said, strict=True)))
        found.append(Row(entry, seq, previous, own, Link(seq, before, link) if link else None))
    assert not list(flaws([LOG_KEY], log, found))
    assert {row.link is not None for row in found} <= {linked}
    return [Logged(row.seq, row.entry.action, row.entry.actor) for row in found]


def test_many_writers_make_one_chain(target: Target, org: Org) -> None:
    """Each group is there once with its event; no number twice, none left out. Who links at the same time, or again,
    does no harm.
    """

    def write(number: int) -> Any:
        now = NOW + timedelta(seconds=number)
        return target.client.do(audited(org, f"model.create{number}", now, model_statement(org, f"m{number}")))

    with ThreadPoolExecutor(WRITERS) as pool:
        assert list(pool.map(write, range(WRITERS))) == [[1, 1]] * WRITERS
    found = rows(target, org)
    assert [row.seq for row in found] == list(range(1, WRITERS + 1))
    assert {row.action for row in found} == {f"model.create{number}" for number in range(WRITERS)}
    assert len(models(target, org)) == WRITERS
    with ThreadPoolExecutor(WRITERS) as pool:
        done = list(pool.map(lambda _: target.client.do(Call("link", org)), range(4)))
    assert sum(done) == WRITERS
    assert rows(target, org, linked=True) == found
    assert target.client.do(Call("link", org)) == 0


def test_of_many_changes_of_one_version_one_is_noted(target: Target, org: Org) -> None:
    """All have read version 1. The event has the change's own condition, so it says what happened."""
    target.new_model(org)
    values = (org.id, 1)

    def write(number: int) -> Any:
        only_if = Statement(UNCHANGED, values)
        return target.client.do(audited(org, f"by{number}", NOW, Statement(BUMP, values), only_if=only_if))

    with ThreadPoolExecutor(WRITERS) as pool:
        outcomes = list(pool.map(write, range(WRITERS)))
    assert sorted(outcomes) == [[0, 0]] * (WRITERS - 1) + [[1, 1]]
    assert [row.action for row in rows(target, org)] == [f"by{outcomes.index([1, 1])}"]
    assert models(target, org) == [("m", "sim", 2)]


def test_a_refused_change_leaves_no_event(target: Target, org: Org) -> None:
    """The group's own violation is told as it is, and is not taken for another writer's row."""
    target.client.do(audited(org, "first", NOW, model_statement(org, "m")))
    with pytest.raises(UniqueViolation):
        target.client.do(audited(org, "second", NOW, model_statement(org, "m")))
    assert [row.action for row in rows(target, org)] == ["first"]


def test_a_person_has_a_chain_of_its_own(target: Target) -> None:
    """Many sign-ins at once."""
    person = Person(new_id(NOW))
    target.client.execute(person, INSERT_USER, person.id, f"{person.id}@b.example", "A", NOW)
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda _: target.client.do(audited(person, "sign_in", NOW)), range(WRITERS)))
    assert [row.seq for row in rows(target, person)] == list(range(1, WRITERS + 1))


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_events SET actor = 'x' WHERE org_id = ?",
        "DELETE FROM audit_events WHERE org_id = ?",
        "UPDATE audit_links SET hash = 'x' WHERE org_id = ?",
        "DELETE FROM audit_links WHERE org_id = ?",
    ],
)
def test_a_row_is_never_changed(target: Target, org: Org, sql: str) -> None:
    """The Worker has no right to, on either store."""
    target.client.do(audited(org, "first", NOW))
    with pytest.raises(TenantViolation):
        target.client.execute(org, sql, org.id)
    assert [row.actor for row in rows(target, org)] == ["system"]


def test_no_organisation_adds_to_anothers_log(target: Target, org: Org) -> None:
    """Not even where a statement of ours names it."""
    other = target.new_org()
    sql = (
        "INSERT INTO audit_events (org_id, seq, id, action, actor, result, details, previous_hash, hash, created_at,"
        " updated_at) VALUES (?1, 1, ?2, 'a', 'b', 'ok', '{}', ?3, ?3, ?4, ?4)"
    )
    with pytest.raises(StoreError):
        target.client.execute(org, sql, other.id, new_id(NOW), "0" * 64, NOW)
    assert rows(target, other) == []
