"""The Database port on PostgreSQL: scopes, transactions, tries, time limits, and one connection at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lib.store import pg_wire, postgres
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
from lib.store.postgres import PostgresStore
from lib.store.tenant import EveryOrg, Joining, Member, Org, Person, Presented, Tenant
from tests.unit.fakes import run
from tests.unit.store.fake_postgres import Answer, FakePostgres, Params, Refused, Rows

ORG = Org("o" * 36)
BEGIN = "BEGIN ISOLATION LEVEL SERIALIZABLE"
BEGIN_ONE = "BEGIN ISOLATION LEVEL READ COMMITTED"


@dataclass(frozen=True)
class Named:
    """What the tests read."""

    name: str
    size: int | None


def open_on(server: FakePostgres, seconds: float = 5, connect: float = 5) -> Database:
    return PostgresStore(server.address(), lambda: 0.0, seconds, connect).open()


def serving(answer: Callable[[str, Params], Answer] = lambda _sql, _params: Rows(tag="UPDATE 1")) -> FakePostgres:
    return FakePostgres(answer=answer, login="trust")


def refusing(*codes: str) -> FakePostgres:
    """Return a server that refuses a statement with these codes, one after another, and then takes it."""
    left = list(codes)

    def answer(sql: str, _params: Params) -> Answer:
        return Refused(left.pop(0)) if sql.startswith("WRITE") and left else Rows(tag="UPDATE 1")

    return serving(answer)


def texts(server: FakePostgres) -> list[list[str]]:
    """Return the statements of all groups, without the settings and their time limit."""
    return [[sql for sql, _ in group if "set_config" not in sql] for group in server.groups]


@pytest.mark.parametrize(
    ("scope", "settings"),
    [
        (Org("o" * 36), ["o" * 36, "", "", ""]),
        (Person("u" * 36), ["", "u" * 36, "", ""]),
        (Member("o" * 36, "u" * 36), ["o" * 36, "u" * 36, "", ""]),
        (Joining("o" * 36, "u" * 36), ["o" * 36, "u" * 36, "", ""]),
        (Presented("h" * 64), ["", "", "h" * 64, ""]),
        (EveryOrg("idempotent_answers"), ["", "", "", "idempotent_answers"]),
    ],
)
def test_every_group_begins_with_its_scope(scope: Tenant, settings: list[str]) -> None:
    """All four settings, each time: a pooled connection may have been anybody's. Of this transaction only."""
    server = serving()
    database = open_on(server, seconds=2.5)
    run(database.execute(scope, "WRITE"))
    run(database.batch(scope, [Statement("A"), Statement("B")]))
    for group in server.groups:
        [(sql, params)] = [asked for asked in group if "set_config" in asked[0]]
        assert params == [*settings, "2500"]
        names = ("org_id", "user_id", "key_hash", "every_org")
        for name in (*(f"headgate.{name}" for name in names), "statement_timeout"):
            assert f"set_config('{name}', $" in sql
        assert sql.count(", true)") == 5
    assert server.groups[0][1][0] == server.groups[1][1][0]


def test_a_single_statement_is_its_own_transaction() -> None:
    """It says so, in the same packet: a pooler that takes a group apart would else end the scope before it."""
    server = serving()
    assert run(open_on(server).execute(ORG, "WRITE ?", 1)) == 1
    assert texts(server) == [[BEGIN_ONE, "WRITE $1", "COMMIT"]]
    assert server.groups[0][2] == ("WRITE $1", ["1"])


def test_the_first_error_is_the_one_that_is_told() -> None:
    """Where something between has taken the group apart, each statement behind the failing one fails too."""
    server = serving(lambda sql, _: {"A": Refused("23505"), "B": Refused("25P02")}.get(sql, Rows(tag="BEGIN")))
    server.syncs_each = True
    with pytest.raises(UniqueViolation):
        run(open_on(server).batch(ORG, [Statement("A"), Statement("B")]))


def test_a_group_is_one_serializable_transaction() -> None:
    """In one round trip, and each statement tells what it changed."""
    server = serving(lambda sql, _: Rows(tag={"A": "INSERT 0 2", "B": "DELETE 0", "C": "UPDATE 5"}.get(sql, "BEGIN")))
    database = open_on(server)
    assert run(database.batch(ORG, [Statement("A"), Statement("B"), Statement("C")])) == [2, 0, 5]
    assert texts(server) == [[BEGIN, "A", "B", "C", "COMMIT"]]


def test_rows_are_read_by_the_columns_names() -> None:
    """As values of the type that was asked for."""
    server = serving(lambda *_: Rows(["size", "name"], [["7", "a"], [None, "b"]]))
    database = open_on(server)
    assert run(database.query(ORG, Named, "SELECT")) == [Named("a", 7), Named("b", None)]
    assert run(database.one(ORG, Named, "SELECT", read=Read.RECENT)) == Named("a", 7)


def test_a_database_has_one_connection_from_its_first_statement_on() -> None:
    """Not before; the same for all; ended by `close`, and another one after that if there is need."""
    server = serving()

    async def scene() -> None:
        database = open_on(server)
        assert (len(server.connections), database.connected) == (0, False)
        await database.close()
        for _ in range(3):
            await database.execute(ORG, "WRITE")
        assert (len(server.connections), database.connected) == (1, True)
        await database.close()
        await database.close()
        assert (server.open, database.connected, server.connections[0].left) == (0, False, True)
        await database.execute(ORG, "WRITE")
        assert (len(server.connections), server.open) == (2, 1)
        await database.close()

    run(scene())
    assert server.open == 0


def test_two_databases_have_two_connections() -> None:
    """One request does not wait for another, and does not see its connection."""
    server = serving()
    store = PostgresStore(server.address(), lambda: 0.0)
    for _ in range(2):
        run(store.open("a bookmark is of no use here").execute(ORG, "WRITE"))
    assert len(server.connections) == 2


def test_there_is_no_need_for_a_bookmark() -> None:
    """Every read sees every write."""
    database = open_on(serving())
    run(database.execute(ORG, "WRITE"))
    assert database.bookmark is None


def test_tasks_side_by_side_take_turns() -> None:
    """One connection, one group in flight, and each task gets its own answer."""
    server = serving(lambda _sql, params: Rows(["name", "size"], [[params[0], "1"]]) if params else Rows())
    in_flight: list[int] = []

    async def scene() -> None:
        database = open_on(server)
        await database.query(ORG, Named, "SELECT ?", "first")
        stream = server.connections[0]
        write, send = stream.write, stream.send
        answers: list[bytes] = []

        async def slow_write(data: bytes) -> None:
            in_flight.append(len(answers))
            stream.send = answers.append  # type: ignore[assignment,method-assign]
            await write(data)
            for _ in range(3):
                await asyncio.sleep(0)  # others would come in here
            while answers:
                send(answers.pop(0))

        stream.write = slow_write  # type: ignore[method-assign]
        asked = [database.query(ORG, Named, "SELECT ?", f"task {number}") for number in range(8)]
        found = await asyncio.gather(*asked)
        assert [row.name for [row] in found] == [f"task {number}" for number in range(8)]

    run(scene())
    assert len(server.connections) == 1
    assert in_flight == [0] * 8


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_who_loses_against_others_tries_again(code: str) -> None:
    """Nobody outside sees it; the whole group is sent again, after the failed one was rolled back."""
    server = refusing(code, code)
    assert run(open_on(server).batch(ORG, [Statement("A"), Statement("WRITE")])) == [1, 1]
    group = [BEGIN, "A", "WRITE", "COMMIT"]
    assert texts(server) == [group, ["ROLLBACK"], group, ["ROLLBACK"], group]
    assert len(server.connections) == 1


def test_a_commit_may_lose_too() -> None:
    """Serializable transactions are often refused only at their end."""
    left = ["40001"]
    server = serving(lambda sql, _: Refused(left.pop()) if sql == "COMMIT" and left else Rows(tag="UPDATE 1"))
    assert run(open_on(server).batch(ORG, [Statement("A"), Statement("B")])) == [1, 1]


def test_who_always_loses_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """In bounded time: the store is too busy, which may pass. Then the connection is still of use."""
    monkeypatch.setattr(postgres, "_LONGEST_PAUSE_MS", 1)
    server = refusing(*["40001"] * postgres._MOST_TRIES)
    database = open_on(server)
    with pytest.raises(StoreUnavailable):
        run(database.execute(ORG, "WRITE"))
    assert len(server.groups) == 2 * postgres._MOST_TRIES  # each with its ROLLBACK
    assert run(database.execute(ORG, "WRITE")) == 1


def test_what_is_refused_for_another_reason_is_not_tried_again() -> None:
    """It would be refused again."""
    server = refusing("23505")
    with pytest.raises(UniqueViolation):
        run(open_on(server).execute(ORG, "WRITE"))
    assert texts(server) == [[BEGIN_ONE, "WRITE", "COMMIT"], ["ROLLBACK"]]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("23505", UniqueViolation),
        ("23503", ForeignKeyViolation),
        ("23514", CheckViolation),
        ("23502", NotNullViolation),
        ("42501", TenantViolation),
        ("57014", StoreTimeout),
        ("22P02", CheckViolation),
        ("22003", CheckViolation),
        ("22021", CheckViolation),
        ("08006", StoreUnavailable),
        ("53100", StoreUnavailable),
        ("53300", StoreUnavailable),
        ("55P03", StoreUnavailable),
        ("57P01", StoreUnavailable),
        ("57P03", StoreUnavailable),
        ("58030", StoreUnavailable),
        ("XX000", StoreUnavailable),
        ("42601", StoreError),
        ("42P01", StoreError),
        ("42703", StoreError),
        ("42883", StoreError),
        ("25P02", StoreError),
        ("0A000", StoreError),
        ("", StoreError),
    ],
)
def test_an_error_is_typed_by_its_code(code: str, error: type[StoreError]) -> None:
    """What a caller may handle has a class of its own; of the base class are defects of ours."""
    with pytest.raises(StoreError) as caught:
        run(open_on(refusing(code)).execute(ORG, "WRITE"))
    assert type(caught.value) is error


def test_after_a_refusal_the_connection_goes_on() -> None:
    """Only what the connection itself suffered ends it."""
    server = refusing("23505")
    database = open_on(server)

    async def scene() -> None:
        with pytest.raises(UniqueViolation):
            await database.batch(ORG, [Statement("A"), Statement("WRITE")])
        assert await database.execute(ORG, "WRITE") == 1

    run(scene())
    assert len(server.connections) == 1


async def _fails(database: Database, error: type[StoreError]) -> None:
    with pytest.raises(StoreError) as caught:
        await database.execute(ORG, "WRITE")
    assert type(caught.value) is error


def test_a_server_that_does_not_answer_in_time_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer might still come, and would be taken for the next one's: so never on this connection again."""
    monkeypatch.setattr(postgres, "_GRACE_SECONDS", 0.02)
    server = serving()

    async def scene() -> None:
        database = open_on(server, seconds=0.02)
        await database.execute(ORG, "WRITE")
        server.silent = True
        await _fails(database, StoreTimeout)
        assert (server.open, database.connected) == (0, False)
        server.silent = False
        await database.execute(ORG, "WRITE")
        assert len(server.connections) == 2

    run(scene())


def test_a_server_that_does_not_let_us_in_in_time_is_a_timeout() -> None:
    """The half-open connection is closed."""
    server = serving()
    server.silent = True
    run(_fails(open_on(server, connect=0.02), StoreTimeout))
    assert (len(server.connections), server.open) == (1, 0)


@pytest.mark.parametrize("code", ["53300", "28P01", "3D000", "57P03"])
def test_a_server_that_refuses_the_login_is_unavailable(code: str) -> None:
    """Full, starting up, or with another password than ours: an operator's matter, no defect of the request."""
    server = serving()
    server.refuses_login = Refused(code, "no", "FATAL")
    run(_fails(open_on(server), StoreUnavailable))
    assert server.open == 0


def test_a_server_that_cannot_be_reached_is_unavailable() -> None:
    """And may be reached again later, by the same database."""
    server = serving()
    server.unreachable = True
    database = open_on(server)

    async def scene() -> None:
        await _fails(database, StoreUnavailable)
        server.unreachable = False
        assert await database.execute(ORG, "WRITE") == 1

    run(scene())


@pytest.mark.parametrize(("login", "forged"), [("kerberos", False), ("scram", True)])
def test_a_server_that_is_none_of_ours_is_unavailable(login: str, forged: bool) -> None:
    """It wants another login, or does not know the password itself."""
    pg_wire._salted.clear()
    server = FakePostgres(login=login, forged=forged)
    run(_fails(open_on(server), StoreUnavailable))
    assert server.open == 0


def test_a_server_that_hangs_up_is_unavailable() -> None:
    """The outcome is unknown, so nothing is tried again; the next statement has a new connection."""
    server = serving()

    async def scene() -> None:
        database = open_on(server)
        await database.execute(ORG, "WRITE")
        server.silent = True
        server.connections[0].hang_up()
        await _fails(database, StoreUnavailable)
        assert server.open == 0
        server.silent = False
        assert await database.execute(ORG, "WRITE") == 1

    run(scene())
    assert [len(connection.groups) for connection in server.connections] == [2, 1]


def test_who_is_cancelled_leaves_no_connection_behind() -> None:
    """An answer may be on its way; another task that waits for its turn gets a new connection."""
    server = serving()

    async def scene() -> None:
        database = open_on(server)
        await database.execute(ORG, "WRITE")
        server.silent = True
        first = asyncio.create_task(database.execute(ORG, "WRITE"))
        second = asyncio.create_task(database.execute(ORG, "WRITE"))
        for _ in range(5):
            await asyncio.sleep(0)
        server.silent = False
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert server.connections[0].closed
        assert await second == 1
        assert len(server.connections) == 2
        await database.close()

    run(scene())
    assert server.open == 0


def test_who_is_cancelled_while_connecting_leaves_nothing_open() -> None:
    """The client went away before the server had said anything."""
    server = serving()
    server.silent = True

    async def scene() -> None:
        database = open_on(server)
        task = asyncio.create_task(database.execute(ORG, "WRITE"))
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not database.connected

    run(scene())
    assert (len(server.connections), server.open) == (1, 0)


def test_nonsense_is_an_outage_and_ends_the_connection() -> None:
    """No defect of the request."""
    server = serving()

    async def scene() -> None:
        database = open_on(server)
        await database.execute(ORG, "WRITE")
        server.silent = True
        server.connections[0].send(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
        await _fails(database, StoreUnavailable)

    run(scene())
    assert server.open == 0
