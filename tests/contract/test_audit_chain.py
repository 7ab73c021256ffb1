"""The audit log's chain on each store, while many write at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, get_type_hints

import pytest

from lib.audit.chain import Log, flaws, link_of
from lib.kernel.ids import new_id
from lib.store.database import Statement, StoreError, TenantViolation, UniqueViolation
from lib.store.rows import columns
from lib.store.schema import AuditEventRow, PersonEventRow
from lib.store.tenant import Org, Person
from tests.contract.support.store_client import audited
from tests.contract.support.store_rows import models
from tests.contract.support.store_targets import NOW, Target, model_statement
from tests.contract.worker.calls import AUDIT_KEY

WRITERS = 24
BUMP = "UPDATE models SET version = version + 1 WHERE org_id = ? AND id = 'm' AND version = ?"
UNCHANGED = "SELECT 1 FROM models WHERE org_id = ? AND id = 'm' AND version = ?"
INSERT_USER = "INSERT INTO users (id, email, name, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)"


def rows(target: Target, owner: Org | Person) -> Sequence[AuditEventRow | PersonEventRow]:
    kind, log = (AuditEventRow, Log.ORG) if isinstance(owner, Org) else (PersonEventRow, Log.PERSON)
    hints: dict[str, Any] = {name: _plain(hint) for name, hint in get_type_hints(kind).items()}
    sql = f"SELECT {columns(kind)} FROM {log} WHERE {log.owner_column} = ? ORDER BY seq"
    found: list[Any] = [kind(*row) for row in target.client.query(owner, hints, sql, owner.id)]
    assert not list(flaws([AUDIT_KEY], log, map(link_of, found)))
    return found


def _plain(hint: Any) -> type:
    return str if hint == str | None else hint


def test_many_writers_make_one_chain(target: Target, org: Org) -> None:
    """Each group is there once with its event; no number twice, none left out, and every row names the one before."""

    def write(number: int) -> Any:
        now = NOW + timedelta(seconds=number)
        return target.client.do(audited(org, f"model.create{number}", now, model_statement(org, f"m{number}")))

    with ThreadPoolExecutor(WRITERS) as pool:
        assert list(pool.map(write, range(WRITERS))) == [[1, 1]] * WRITERS
    found = rows(target, org)
    assert [row.seq for row in found] == list(range(1, WRITERS + 1))
    assert {row.action for row in found} == {f"model.create{number}" for number in range(WRITERS)}
    assert len(models(target, org)) == WRITERS


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
    "sql", ["UPDATE audit_events SET actor = 'x' WHERE org_id = ?", "DELETE FROM audit_events WHERE org_id = ?"]
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
        f"INSERT INTO audit_events ({columns(AuditEventRow)})"
        " VALUES (?1, 1, ?2, 'a', 'b', NULL, 'ok', NULL, NULL, '{}', ?3, ?3, ?4, ?4)"
    )
    with pytest.raises(StoreError):
        target.client.execute(org, sql, other.id, new_id(NOW), "0" * 64, NOW)
    assert rows(target, other) == []
