"""What both stores' databases share: what a request has cost, and values that are refused before they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from lib.store.database import Cost, Read, Statement, StoreUnavailable, UnstorableValue
from lib.store.dialect import POSTGRES, SQLITE, Dialect
from lib.store.session import Bound, Result, Session
from lib.store.tenant import Org, Presented, Tenant
from tests.unit.fakes import run

ORG = Org("o" * 36)


class FakeSession(Session):
    """A store that answers everything with these rows, after `takes` seconds of its own clock, or fails."""

    dialect: Dialect = SQLITE

    def __init__(self, *names: str) -> None:
        super().__init__(lambda: self.seconds)
        self.seconds = 100.0
        self.takes = 0.0
        self.failure: Exception | None = None
        self.rows = [{"name": name} for name in names]
        self.ran: list[tuple[Tenant, Sequence[Bound], Read]] = []

    async def _run(self, scope: Tenant, statements: Sequence[Bound], read: Read) -> list[Result]:
        self.ran.append((scope, statements, read))
        self.seconds += self.takes
        if self.failure:
            raise self.failure
        return [Result(self.rows, number) for number, _ in enumerate(statements)]


@dataclass(frozen=True)
class Named:
    """What the tests read."""

    name: str


def test_a_query_gives_all_rows_and_one_the_first_or_none() -> None:
    """As values of the type that was asked for."""
    assert run(FakeSession("a", "b").query(ORG, Named, "SELECT")) == [Named("a"), Named("b")]
    assert run(FakeSession("a", "b").one(ORG, Named, "SELECT")) == Named("a")
    assert run(FakeSession().one(ORG, Named, "SELECT")) is None
    assert run(FakeSession().query(ORG, Named, "SELECT")) == []


def test_a_group_tells_what_each_statement_changed() -> None:
    """In their order; `execute` is a group of one."""
    assert run(FakeSession().batch(ORG, [Statement("A"), Statement("B"), Statement("C")])) == [0, 1, 2]
    assert run(FakeSession().execute(ORG, "A")) == 0


def test_a_statement_arrives_with_its_scope_its_values_and_how_fresh_it_must_be() -> None:
    """Reads are LATEST where nothing is said, and writes always."""
    database = FakeSession()
    run(database.query(Presented("h"), Named, "SELECT", "x", True, read=Read.RECENT))
    run(database.one(ORG, Named, "SELECT", read=Read.RECENT))
    run(database.one(ORG, Named, "SELECT"))
    run(database.execute(ORG, "DELETE", None))
    assert database.ran == [
        (Presented("h"), [("SELECT", ["x", 1])], Read.RECENT),
        (ORG, [("SELECT", [])], Read.RECENT),
        (ORG, [("SELECT", [])], Read.LATEST),
        (ORG, [("DELETE", [None])], Read.LATEST),
    ]


def test_each_way_there_and_back_is_counted_and_timed() -> None:
    """A group is one; the time is in milliseconds."""
    database = FakeSession("a")
    assert database.cost == Cost(0, 0.0)
    database.takes = 0.0015
    run(database.query(ORG, Named, "SELECT"))
    database.takes = 0.25
    run(database.batch(ORG, [Statement("A"), Statement("B")]))
    assert database.cost == Cost(2, 251.5)


@pytest.mark.parametrize("failure", [StoreUnavailable("away"), RuntimeError("defect")])
def test_a_statement_that_fails_has_its_cost_too(failure: Exception) -> None:
    """Most of all the one that took ten seconds to fail."""
    database = FakeSession()
    database.takes, database.failure = 10, failure
    with pytest.raises(type(failure)):
        run(database.execute(ORG, "A"))
    assert database.cost == Cost(1, 10_000.0)


@pytest.mark.parametrize("value", ["a\0secret", "secret\ud800", 2**53 + 1, float("inf")])
@pytest.mark.parametrize("dialect", [SQLITE, POSTGRES], ids=lambda dialect: dialect.name)
def test_a_value_that_no_store_could_hold_is_not_sent(dialect: Dialect, value: str | float) -> None:
    """The whole group is refused, costs nothing, and the message does not repeat the value."""
    database = FakeSession()
    database.dialect = dialect
    with pytest.raises(UnstorableValue) as caught:
        run(database.batch(ORG, [Statement("A", ("fine",)), Statement("B", (value,))]))
    assert "secret" not in str(caught.value)
    assert (database.ran, database.cost) == ([], Cost(0, 0.0))


def test_a_check_asks_for_a_table_as_nobody() -> None:
    """So it fails where there are no tables, and it reads no organisation's row."""
    database = FakeSession()
    run(database.check())
    [(scope, [(sql, values)], read)] = database.ran
    assert isinstance(scope, Org)
    assert (values, read) == ([scope.id], Read.LATEST)
    assert "orgs" in sql
    database.failure = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        run(database.check())


def test_where_nothing_is_connected_there_is_nothing_to_close() -> None:
    """Unless a store says otherwise."""
    database = FakeSession()
    run(database.close())
    assert (database.connected, database.bookmark) == (False, None)
