"""API keys in the store: each organisation's own, changed only by who knows their version."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from lib.kernel.ids import new_id
from lib.keys import key_store
from lib.keys.key_store import KEYS, SERVER, Descendants
from lib.secrets.api_keys import new_key
from lib.store.database import CheckViolation, Database, ForeignKeyViolation, Statement, UniqueViolation
from lib.store.schema import ApiKeyRow
from lib.store.tenant import Org
from tests.unit.fakes import NOW, run
from tests.unit.store.seeds import SeededKey, key_row, revoke_key, seed_key, seed_org
from tests.unit.store.sqlite_binding import SqliteBinding, new_database

LATER = NOW + timedelta(days=1)


class Store:
    """Two organisations with a key each."""

    def __init__(self) -> None:
        self.database: Database
        self.binding: SqliteBinding
        self.database, self.binding = new_database()
        self.own, self.other = run(self._seed()), run(self._seed())

    async def _seed(self) -> SeededKey:
        return await seed_key(self.database, await seed_org(self.database), ["chat:write", "keys:read"])

    def group(self, statements: list[Statement]) -> list[int]:
        return run(self.database.batch(Org(self.own.principal.org_id), statements))

    def row(self, key: SeededKey | None = None) -> ApiKeyRow:
        principal = (key or self.own).principal
        found = run(KEYS.get(self.database, principal.org_id, principal.key_id))
        assert found is not None
        return found


def update(store: Store, key_id: str, version: int, name: str, expires_at: datetime | None) -> bool:
    """Change a key of the first organisation that is taken to be at `version`; tell whether it was."""
    row = replace(store.row(), id=key_id, updated_at=LATER, version=version, name=name, expires_at=expires_at)
    [changed] = store.group([key_store.update(row)])
    return changed > 0


def test_a_key_is_found_by_its_hash_alone() -> None:
    """With its organisation, its scopes and its end."""
    store = Store()
    assert run(key_store.find_principal(store.database, store.own.secret_hash)) == store.own.principal
    assert run(key_store.find_principal(store.database, "0" * 64)) is None


def test_the_secret_is_nowhere_in_the_store() -> None:
    """Only its hash and its first digits are."""
    store = Store()
    assert store.own.secret not in "\n".join(store.binding.connection.iterdump())


def test_another_organisations_key_is_not_there() -> None:
    """Neither to read nor to change nor to revoke nor to replace, even by who knows its id."""
    store = Store()
    org, foreign = store.own.principal.org_id, store.other.principal.key_id
    before = store.row(store.other)
    assert run(KEYS.get(store.database, org, foreign)) is None
    assert not update(store, foreign, 1, "mine", None)
    for descendants in Descendants:
        assert set(store.group(key_store.revoke_statements(store.row(store.other), org, descendants, LATER))) == {0}
    group = key_store.replace_statements(org, foreign, 1, key_row(org, new_key()), LATER, LATER)
    assert store.group(group) == [0, 0]
    assert store.row(store.other) == before
    assert [row.id for row in run(KEYS.page(store.database, org, "~", 10, " AND kind = ?", SERVER))] == [
        store.own.principal.key_id
    ]


def test_an_update_needs_the_current_version() -> None:
    """Of two who read the same version, one wins; the other is told."""
    store = Store()
    key = store.own.principal.key_id
    assert update(store, key, 1, "first", LATER)
    assert not update(store, key, 1, "second", None)
    row = store.row()
    assert (row.name, row.version, row.expires_at, row.updated_at) == ("first", 2, LATER, LATER)
    assert update(store, key, 2, "third", None)
    assert store.row().expires_at is None


def test_a_revoked_key_speaks_for_nobody_and_cannot_be_changed() -> None:
    """And revoking it again keeps its first date."""
    store = Store()
    org, key = store.own.principal.org_id, store.own.principal.key_id
    run(revoke_key(store.database, org, key, LATER))
    run(revoke_key(store.database, org, key, LATER + timedelta(days=1)))
    row = store.row()
    assert (row.revoked_at, row.version) == (LATER, 2)
    assert run(key_store.find_principal(store.database, store.own.secret_hash)) is None
    assert not update(store, key, 2, "again", None)


def test_a_replacement_is_made_and_the_old_key_ends_later() -> None:
    """One atomic group: the same name and scopes, and the old key names its successor."""
    store = Store()
    org, old = store.own.principal.org_id, store.own.principal.key_id
    new = key_row(org, new_key(), scopes=[])
    assert store.group(key_store.replace_statements(org, old, 1, new, LATER, NOW)) == [1, 1]
    row = store.row()
    assert (row.replaced_by_key_id, row.expires_at, row.version, row.revoked_at) == (new.id, LATER, 2, None)
    made = run(key_store.find_principal(store.database, new.secret_hash))
    assert made is not None
    assert (made.key_id, made.scopes, made.expires_at) == (new.id, store.own.principal.scopes, None)


def test_a_replacement_is_bound_and_suspended_as_the_key_was() -> None:
    """By whatever bounds keys have: a column that nobody has thought of here goes along."""
    store = Store()
    store.binding.connection.execute("PRAGMA foreign_keys = OFF")
    filled: dict[str, Any] = {
        "str | None": new_id(NOW),
        "datetime | None": LATER,
        "frozenset[str] | None": frozenset("x"),
    }
    more = {column.name: filled[str(column.type)] for column in fields(ApiKeyRow) if str(column.type) in filled}
    own = {"id": new_id(NOW), "prefix": "x" * 11, "secret_hash": "1" * 64, "version": 3, "revoked_at": None}
    old, new = replace(store.row(), **more | own), replace(store.row(), id=new_id(NOW), secret_hash="2" * 64)
    made, _ = key_store.replace_statements(old.org_id, old.id, old.version, new, LATER, LATER)
    assert store.group([KEYS.insert_where(old, "true"), made]) == [1, 1]
    successor = run(KEYS.get(store.database, old.org_id, new.id))
    differs = {name for name in KEYS.columns.split(", ") if getattr(successor, name) != getattr(old, name)}
    assert differs == {*key_store._OWN} - {"org_id", "revoked_at"}


def test_a_key_that_ends_sooner_anyway_still_does() -> None:
    """Rotation never lengthens a key's life."""
    store = Store()
    org, old = store.own.principal.org_id, store.own.principal.key_id
    update(store, old, 1, "short", NOW + timedelta(hours=1))
    store.group(key_store.replace_statements(org, old, 2, key_row(org, new_key()), LATER, NOW))
    assert store.row().expires_at == NOW + timedelta(hours=1)


@pytest.mark.parametrize("version", [0, 2, 99])
def test_a_replacement_of_an_old_version_makes_nothing(version: int) -> None:
    """Two rotations at once would leave a key that nobody knows of."""
    store = Store()
    org, old = store.own.principal.org_id, store.own.principal.key_id
    new = key_row(org, new_key())
    assert store.group(key_store.replace_statements(org, old, version, new, LATER, NOW)) == [0, 0]
    assert run(key_store.find_principal(store.database, new.secret_hash)) is None
    assert store.row().replaced_by_key_id is None


def test_a_group_that_fails_in_its_second_half_leaves_nothing() -> None:
    """The new key is not made when the old one can't be changed."""
    store = Store()
    org, old = store.own.principal.org_id, store.own.principal.key_id
    new = key_row(org, new_key())
    made, ended = key_store.replace_statements(org, old, 1, new, LATER, NOW)
    broken = type(ended)(ended.sql.replace("version = version + 1", "version = -1"), ended.values)
    with pytest.raises(CheckViolation):
        store.group([made, broken])
    assert run(key_store.find_principal(store.database, new.secret_hash)) is None


def test_pages_follow_each_other_without_gap_or_repetition() -> None:
    """Newest first, by id, also when keys are made or revoked between two pages."""
    store = Store()
    org = store.own.principal.org_id
    ids = [store.own.principal.key_id]
    ids += [run(seed_key(store.database, org)).principal.key_id for _ in range(24)]
    seen: list[str] = []
    after = "~"
    while rows := run(KEYS.page(store.database, org, after, 7, " AND kind = ?", SERVER)):
        seen += [row.id for row in rows]
        after = rows[-1].id
        run(revoke_key(store.database, org, seen[0], LATER))
    assert seen == sorted(ids, reverse=True)


def test_a_secret_belongs_to_one_key() -> None:
    """Whatever went wrong in making it, two keys never share a secret."""
    store = Store()
    again = key_row(store.own.principal.org_id, store.own.secret)
    with pytest.raises(UniqueViolation):
        store.group([key_store.insert(again)])


def test_a_key_belongs_to_an_organisation_that_exists() -> None:
    """The store itself refuses another."""
    store, nobody = Store(), new_id(NOW)
    with pytest.raises(ForeignKeyViolation):
        run(store.database.batch(Org(nobody), [key_store.insert(key_row(nobody, new_key()))]))
