"""The Database port on D1: groups are atomic, failures are typed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from lib.ids import new_id
from lib.store.d1 import D1Database
from lib.store.database import (
    CheckViolation,
    ForeignKeyViolation,
    NotNullViolation,
    Statement,
    StoreError,
    StoreUnavailable,
    UniqueViolation,
)
from tests.unit.fakes import NOW, run
from tests.unit.store.seeds import seed_org
from tests.unit.store.sqlite_binding import SqliteBinding, new_database

INSERT = "INSERT INTO orgs VALUES (?, ?, ?, ?)"


@dataclass(frozen=True)
class Org:
    """What the tests read."""

    id: str
    name: str


def store() -> tuple[D1Database, SqliteBinding]:
    return new_database()


def org(name: str | None = "Acme", org_id: str | None = None) -> Statement:
    return Statement(INSERT, (org_id or new_id(NOW), name, NOW, NOW))


def failure(*statements: Statement) -> StoreError:
    """Return what a group is refused with."""
    database, _ = store()
    with pytest.raises(StoreError) as caught:
        run(database.batch(statements))
    return caught.value


def test_reading_gives_rows_one_row_or_nothing() -> None:
    """`query` gives all, `one` the first or None."""
    database, _ = store()
    run(database.batch([org("b"), org("a")]))
    rows = run(database.query(Org, "SELECT id, name FROM orgs ORDER BY name"))
    assert [row.name for row in rows] == ["a", "b"]
    assert run(database.one(Org, "SELECT id, name FROM orgs ORDER BY name DESC")) == rows[1]
    assert run(database.one(Org, "SELECT id, name FROM orgs WHERE name = ?", "c")) is None


def test_writing_tells_how_many_rows_changed() -> None:
    """Each statement by itself."""
    database, _ = store()
    everything = Statement("UPDATE orgs SET name = 'z'")
    nothing = Statement("DELETE FROM orgs WHERE name = ?", ("q",))
    assert run(database.batch([org("b"), org("a"), everything, nothing])) == [1, 1, 2, 0]
    assert run(database.execute("DELETE FROM orgs")) == 2


def test_a_group_happens_whole_or_not_at_all() -> None:
    """What came before the statement that failed is undone."""
    database, binding = store()
    with pytest.raises(NotNullViolation):
        run(database.batch([org("a"), org(None)]))
    assert binding.rows("SELECT * FROM orgs") == []


def test_a_row_that_exists_is_a_unique_violation() -> None:
    """Also where the key is the primary one."""
    one = org()
    assert type(failure(one, one)) is UniqueViolation


def test_a_missing_value_is_a_not_null_violation() -> None:
    """A column that must have a value."""
    assert type(failure(org(None))) is NotNullViolation


@pytest.mark.parametrize("statement", [org(""), org("x" * 201), org(org_id="short")])
def test_a_value_out_of_range_is_a_check_violation(statement: Statement) -> None:
    """The store keeps its own rules too."""
    assert type(failure(statement)) is CheckViolation


def test_a_value_of_another_type_is_a_check_violation() -> None:
    """The tables are STRICT."""
    model = "INSERT INTO models (org_id, id, provider, upstream_model, version, created_at, updated_at)"
    one = org()
    wrong = Statement(f"{model} VALUES (?1, 'm', 'sim', 'chat', 'many', ?2, ?2)", (one.values[0], NOW))
    assert type(failure(one, wrong)) is CheckViolation


def test_a_row_that_names_a_missing_one_is_a_foreign_key_violation() -> None:
    """Foreign keys are on."""
    member = Statement("INSERT INTO memberships VALUES (?1, ?1, 'owner', ?2, ?2)", (new_id(NOW), NOW))
    assert type(failure(member)) is ForeignKeyViolation


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT * FROM nowhere", "SELECT nothing FROM orgs"])
def test_wrong_sql_is_a_defect_not_an_outage(sql: str) -> None:
    """Trying again would not help, so it must not look as if it could."""
    assert type(failure(Statement(sql))) is StoreError


@pytest.mark.parametrize(
    "message",
    [
        "D1_ERROR: Network connection lost.",
        "D1_ERROR: D1 DB is overloaded. Requests queued for too long.",
        "D1_ERROR: internal error; reference = 3f1c",
        "D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.",
        "D1_ERROR: Cannot resolve D1 DB due to transient issue on remote node.",
        "",
    ],
)
def test_every_other_trouble_of_d1_is_an_outage(message: str) -> None:
    """It may pass, so callers try again or answer 503."""
    database, binding = store()
    binding.failure = message
    with pytest.raises(StoreUnavailable):
        run(database.execute("SELECT 1"))
    assert run(database.execute("SELECT 1")) == 0


def test_queries_side_by_side_do_not_mix() -> None:
    """Each gets its own answer."""
    database, _ = store()

    async def scene() -> None:
        ids = [await seed_org(database, f"org {number}") for number in range(10)]
        asked = [database.one(Org, "SELECT id, name FROM orgs WHERE id = ?", org_id) for org_id in ids]
        names = [found.name for found in await asyncio.gather(*asked) if found]
        assert names == [f"org {number}" for number in range(10)]

    run(scene())


def test_values_are_bound_and_never_part_of_the_statement() -> None:
    """A name that looks like SQL is a name."""
    database, binding = store()
    evil = "'); DROP TABLE orgs; --"
    run(database.batch([org(evil)]))
    assert [row["name"] for row in binding.rows("SELECT name FROM orgs")] == [evil]
