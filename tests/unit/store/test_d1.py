"""The Database port on D1: groups are atomic, failures are typed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from lib.gateway import model_store
from lib.gateway.models import ModelRoute
from lib.kernel.ids import new_id
from lib.store.d1 import D1Store
from lib.store.database import (
    CheckViolation,
    Database,
    ForeignKeyViolation,
    NotNullViolation,
    Read,
    Statement,
    StoreError,
    StoreTimeout,
    StoreUnavailable,
    TenantViolation,
    UniqueViolation,
)
from lib.store.session import Bound, Result
from lib.store.tenant import Org
from tests.unit.fakes import NOW, run
from tests.unit.store.seeds import seed_org, write
from tests.unit.store.sqlite_binding import SqliteBinding, new_database

ORG = Org("o" * 36)
INSERT = "INSERT INTO orgs (id, name, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)"


@dataclass(frozen=True)
class Row:
    """What the tests read."""

    id: str
    name: str


def insert(org_id: str, name: str | None = "Acme") -> Statement:
    return Statement(INSERT, (org_id, name, NOW))


def failure(scope: Org, *statements: Statement) -> StoreError:
    """Return what a group is refused with."""
    database, _ = new_database()
    with pytest.raises(StoreError) as caught:
        run(database.batch(scope, statements))
    return caught.value


def test_reading_gives_rows_one_row_or_nothing() -> None:
    """`query` gives all, `one` the first or None."""
    database, _ = new_database()
    org = Org(run(seed_org(database)))
    for name in ("b", "a"):
        run(write(database, org.id, *model_store.put(org.id, ModelRoute(name, "sim", "x", None), None, NOW)))
    own = "SELECT org_id AS id, id AS name FROM models WHERE org_id = ?"
    rows = run(database.query(org, Row, f"{own} ORDER BY 2", org.id))
    assert [row.name for row in rows] == ["a", "b"]
    assert run(database.one(org, Row, f"{own} ORDER BY 2 DESC", org.id)) == rows[1]
    assert run(database.one(org, Row, f"{own} AND id = 'c'", org.id)) is None


def test_writing_tells_how_many_rows_changed() -> None:
    """Each statement by itself."""
    database, _ = new_database()
    org = Org(run(seed_org(database)))
    models = [
        Statement(
            "INSERT INTO models (org_id, id, provider, upstream_model, created_at, updated_at)"
            " VALUES (?1, ?2, 'sim', 'x', ?3, ?3)",
            (org.id, name, NOW),
        )
        for name in ("a", "b")
    ]
    everything = Statement("UPDATE models SET provider = 'z' WHERE org_id = ?", (org.id,))
    nothing = Statement("DELETE FROM models WHERE org_id = ? AND id = ?", (org.id, "q"))
    assert run(database.batch(org, [*models, everything, nothing])) == [1, 1, 2, 0]
    assert run(database.execute(org, "DELETE FROM models WHERE org_id = ?", org.id)) == 2


def test_a_group_happens_whole_or_not_at_all() -> None:
    """What came before the statement that failed is undone."""
    database, binding = new_database()
    org = Org(new_id(NOW))
    broken = Statement("UPDATE orgs SET name = NULL WHERE id = ?", (org.id,))
    with pytest.raises(NotNullViolation):
        run(database.batch(org, [insert(org.id), broken]))
    assert binding.rows("SELECT * FROM orgs") == []


def test_a_row_that_exists_is_a_unique_violation() -> None:
    """Also where the key is the primary one."""
    assert type(failure(ORG, insert(ORG.id), insert(ORG.id))) is UniqueViolation


def test_a_missing_value_is_a_not_null_violation() -> None:
    """A column that must have a value."""
    assert type(failure(ORG, insert(ORG.id, None))) is NotNullViolation


@pytest.mark.parametrize(("org_id", "name"), [(ORG.id, ""), (ORG.id, "x" * 201), ("short", "Acme")])
def test_a_value_out_of_range_is_a_check_violation(org_id: str, name: str) -> None:
    """The store keeps its own rules too."""
    assert type(failure(Org(org_id), insert(org_id, name))) is CheckViolation


def test_a_value_of_another_type_is_a_check_violation() -> None:
    """The tables are STRICT."""
    model = "INSERT INTO models (org_id, id, provider, upstream_model, version, created_at, updated_at)"
    wrong = Statement(f"{model} VALUES (?1, 'm', 'sim', 'chat', 'many', ?2, ?2)", (ORG.id, NOW))
    assert type(failure(ORG, insert(ORG.id), wrong)) is CheckViolation


def test_a_row_that_names_a_missing_one_is_a_foreign_key_violation() -> None:
    """Foreign keys are on."""
    columns = "(org_id, user_id, role, created_at, updated_at)"
    member = Statement(f"INSERT INTO memberships {columns} VALUES (?1, ?1, 'owner', ?2, ?2)", (ORG.id, NOW))
    assert type(failure(ORG, member)) is ForeignKeyViolation


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT FROM WHERE",
        "SELECT * FROM nowhere",
        "SELECT nothing FROM orgs WHERE id = ?1",
        "UPDATE nowhere SET x = 1",
    ],
)
def test_wrong_sql_is_a_defect_not_an_outage(sql: str) -> None:
    """Trying again would not help, so it must not look as if it could."""
    assert type(failure(ORG, Statement(sql, (ORG.id,) if "?" in sql else ()))) is StoreError


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
    database, binding = new_database()
    binding.failure = message
    with pytest.raises(StoreUnavailable):
        run(database.execute(ORG, "SELECT 1"))
    assert run(database.execute(ORG, "SELECT 1")) == 0


def test_queries_side_by_side_do_not_mix() -> None:
    """Each gets its own answer."""
    database, _ = new_database()

    async def scene() -> None:
        ids = [await seed_org(database, f"org {number}") for number in range(10)]
        sql = "SELECT id, name FROM orgs WHERE id = ?"
        asked = [database.one(Org(org_id), Row, sql, org_id) for org_id in ids]
        names = [found.name for found in await asyncio.gather(*asked) if found]
        assert names == [f"org {number}" for number in range(10)]

    run(scene())


def test_values_are_bound_and_never_part_of_the_statement() -> None:
    """A name that looks like SQL is a name."""
    database, binding = new_database()
    evil = "'); DROP TABLE orgs; --"
    run(database.batch(ORG, [insert(ORG.id, evil)]))
    assert [row["name"] for row in binding.rows("SELECT name FROM orgs")] == [evil]


def test_a_binding_that_never_answers_is_a_timeout() -> None:
    """In bounded time; the statement may have run all the same."""

    class Silent(SqliteBinding):
        async def batch(self, statements: Sequence[Bound]) -> list[Result]:
            await asyncio.sleep(60)
            return await super().batch(statements)

    database = D1Store(Silent(), lambda: 0.0, 0.02).open()
    with pytest.raises(StoreTimeout):
        run(asyncio.wait_for(database.check(), 5))
    assert database.cost.queries == 1


def test_there_is_nothing_to_close() -> None:
    """D1 has no connections; `close` does nothing, and what comes after it works."""
    database, _ = new_database()
    run(database.check())
    assert not database.connected
    run(database.close())
    run(database.check())


def test_a_store_without_tables_is_not_well() -> None:
    """The check asks for one."""
    database, binding = new_database()
    binding.connection.executescript("PRAGMA foreign_keys = OFF; DROP TABLE orgs")
    with pytest.raises(StoreError):
        run(database.check())


class Replicated:
    """A binding that notes which way each batch went: to the primary itself, or by a session and from which mark on."""

    def __init__(self) -> None:
        self.inner = SqliteBinding()
        self.ways: list[str] = []
        self.sessions = 0

    async def batch(self, statements: Sequence[Bound]) -> list[Result]:
        self.ways.append("primary")
        return await self.inner.batch(statements)

    def replicated(self, constraint: str) -> Replicas:
        self.sessions += 1
        return Replicas(self, f"session {self.sessions} from {constraint}")


class Replicas:
    """A session; its bookmark moves on with each batch."""

    def __init__(self, binding: Replicated, way: str) -> None:
        self._binding = binding
        self._way = way
        self._batches = 0

    async def batch(self, statements: Sequence[Bound]) -> list[Result]:
        self._binding.ways.append(self._way)
        self._batches += 1
        return await self._binding.inner.batch(statements)

    def bookmark(self) -> str | None:
        return f"{self._way}, batch {self._batches}" if self._batches else None


def replicated(bookmark: str | None = None) -> tuple[Database, Replicated]:
    binding = Replicated()
    return D1Store(binding, lambda: 0.0).open(bookmark), binding


def look(database: Database, read: Read) -> None:
    run(database.one(ORG, Row, "SELECT id, name FROM orgs WHERE id = ?", ORG.id, read=read))


@pytest.mark.parametrize("bookmark", [None, "00000001-0000"])
def test_the_latest_is_read_from_the_primary(bookmark: str | None) -> None:
    """Whatever the client presents, and whatever was written before in this request."""
    database, binding = replicated(bookmark)
    look(database, Read.LATEST)
    assert (binding.ways, database.bookmark) == (["primary"], None)
    run(database.batch(ORG, [insert(ORG.id)]))
    look(database, Read.LATEST)
    assert binding.ways[-1] == "primary"


def test_without_a_bookmark_the_recent_is_the_latest() -> None:
    """A replica might lag behind what this client has just been told."""
    database, binding = replicated()
    look(database, Read.RECENT)
    assert (binding.ways, binding.sessions, database.bookmark) == (["primary"], 0, None)


def test_with_a_bookmark_the_recent_is_read_from_a_session() -> None:
    """From that mark on, one session for all of the request; and there is a new mark to hand out."""
    database, binding = replicated("00000001-0000")
    look(database, Read.RECENT)
    look(database, Read.RECENT)
    assert binding.ways == ["session 1 from 00000001-0000"] * 2
    assert database.bookmark == "session 1 from 00000001-0000, batch 2"


@pytest.mark.parametrize(("bookmark", "constraint"), [(None, "first-primary"), ("00000001-0000", "00000001-0000")])
def test_a_write_goes_by_a_session_and_gives_a_bookmark(bookmark: str | None, constraint: str) -> None:
    """A read of the same request that comes behind it sees it: it takes the same session."""
    database, binding = replicated(bookmark)
    run(database.batch(ORG, [insert(ORG.id)]))
    assert database.bookmark == f"session 1 from {constraint}, batch 1"
    look(database, Read.RECENT)
    run(database.execute(ORG, "DELETE FROM orgs WHERE id = ?", ORG.id))
    assert binding.ways == [f"session 1 from {constraint}"] * 3
    assert database.bookmark == f"session 1 from {constraint}, batch 3"


def test_a_group_with_one_write_in_it_is_a_write() -> None:
    """Wherever in the group that stands."""
    database, binding = replicated()
    own = Statement("SELECT id FROM orgs WHERE id = ?", (ORG.id,))
    run(database.batch(ORG, [own, insert(ORG.id)]))
    assert binding.ways == ["session 1 from first-primary"]


def test_each_request_has_its_own_session() -> None:
    """One request's mark is not another's."""
    binding = Replicated()
    store = D1Store(binding, lambda: 0.0)
    for mark in ("a", "b"):
        look(store.open(mark), Read.RECENT)
    assert binding.ways == ["session 1 from a", "session 2 from b"]


def test_what_breaks_its_scope_is_refused_before_anything_is_sent() -> None:
    """Not even a session is begun."""
    database, binding = replicated("00000001-0000")
    with pytest.raises(TenantViolation):
        run(database.batch(ORG, [insert(ORG.id), Statement("DELETE FROM orgs")]))
    assert (binding.ways, binding.sessions) == ([], 0)
