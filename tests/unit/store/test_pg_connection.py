"""One connection to PostgreSQL: logins, groups and their answers, and every way in which it may end."""

from __future__ import annotations

import asyncio

import pytest

from lib.store import pg_wire
from lib.store.pg_connection import ConnectionLost, PgConnection, ServerError
from tests.unit.fakes import run
from tests.unit.store.fake_postgres import (
    DATABASE,
    NOTICE,
    PARAMETER,
    USER,
    Answer,
    Cut,
    FakePostgres,
    Params,
    Refused,
    Rows,
    byte_by_byte,
    message,
    whole,
)

cuts = pytest.mark.parametrize("cut", [whole, byte_by_byte])
logins = pytest.mark.parametrize("login", ["scram", "cleartext", "trust"])


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    """Each test begins as a new isolate."""
    pg_wire._salted.clear()


def echo(sql: str, params: Params) -> Answer:
    """Answer with what was asked; refuse what asks for it."""
    if sql.startswith("REFUSE "):
        return Refused(sql.split()[1])
    return Rows(["sql", *(f"p{number}" for number in range(len(params)))], [[sql, *params]])


async def ask(server: FakePostgres, *statements: str) -> list[list[dict[str, object]]]:
    connection = await PgConnection.open(server.address())
    results = await connection.run([(sql, []) for sql in statements])
    await connection.close()
    return [list(map(dict, result.rows)) for result in results]


@cuts
@logins
@pytest.mark.parametrize("between", [b"", NOTICE, NOTICE + PARAMETER], ids=["nothing", "notice", "more"])
def test_it_logs_in_and_asks(login: str, cut: Cut, between: bytes) -> None:
    """However the server asks for the password, cuts its messages, and whatever it remarks in between."""
    server = FakePostgres(answer=echo, login=login, cut=cut, between=between)
    assert run(ask(server, "A", "B")) == [[{"sql": "A"}], [{"sql": "B"}]]
    [connection] = server.connections
    assert connection.parameters == {"user": USER, "database": DATABASE, "application_name": "headgate"}
    assert (connection.closed, connection.left) == (True, True)


@pytest.mark.parametrize("login", ["scram", "cleartext"])
def test_a_wrong_password_is_refused(login: str) -> None:
    """By the server, in its own words; nothing stays open, and the password is in no message."""
    server = FakePostgres(login=login, password="another")
    with pytest.raises(ServerError) as caught:
        run(PgConnection.open(server.address()))
    assert caught.value.sqlstate == "28P01"
    assert server.open == 0


def test_the_slow_part_of_a_login_is_done_once() -> None:
    """The next login of this isolate proves that it knows the password without deriving anything."""
    server = FakePostgres(answer=echo)
    for _ in range(3):
        assert run(ask(server, "A")) == [[{"sql": "A"}]]
    assert server.derived == 1
    assert len(server.connections) == 3


def test_a_new_password_is_derived_anew() -> None:
    """What was kept is of another password, and is dropped."""
    for password in ("one", "two", "one"):
        server = FakePostgres(answer=echo, password=password)
        connection = run(PgConnection.open(server.address(password)))
        run(connection.close())
        assert server.derived == 1


def test_a_server_that_does_not_know_the_password_is_not_believed() -> None:
    """SCRAM is mutual: whoever only pretends gets no statement."""
    server = FakePostgres(answer=echo, forged=True)
    with pytest.raises(ConnectionLost):
        run(ask(server, "A"))
    assert (server.groups, server.open) == ([], 0)


def test_a_way_to_log_in_that_we_have_not_is_told() -> None:
    """As a connection that can't be had, and nothing stays open."""
    server = FakePostgres(login="kerberos")
    with pytest.raises(ConnectionLost):
        run(PgConnection.open(server.address()))
    assert server.open == 0


def test_a_server_with_no_connection_to_spare_says_so() -> None:
    """Before it asks for a password."""
    server = FakePostgres(refuses_login=Refused("53300", "sorry, too many clients already", "FATAL"))
    with pytest.raises(ServerError, match="too many clients"):
        run(PgConnection.open(server.address()))
    assert server.open == 0


@pytest.mark.parametrize("at", range(3))
def test_an_error_in_a_group_is_the_groups_error(at: int) -> None:
    """Wherever it stands; what is behind it is not run, and the connection can be used again."""
    server = FakePostgres(answer=echo)
    statements = ["BEGIN", "A", "B", "COMMIT"]
    statements[at + 1] = "REFUSE 23505"

    async def scene() -> None:
        connection = await PgConnection.open(server.address())
        with pytest.raises(ServerError) as caught:
            await connection.run([(sql, []) for sql in statements])
        assert caught.value.sqlstate == "23505"
        [result] = await connection.run([("C", [])])
        assert result.rows == [{"sql": "C"}]
        await connection.close()

    run(scene())
    assert [[sql for sql, _ in group] for group in server.groups] == [statements, ["ROLLBACK"], ["C"]]


def test_without_a_transaction_there_is_nothing_to_roll_back() -> None:
    """A group of its own is one to the server."""
    server = FakePostgres(answer=echo)
    with pytest.raises(ServerError):
        run(ask(server, "A", "REFUSE 23502"))
    assert len(server.groups) == 1


def test_values_go_as_they_are() -> None:
    """Texts of any characters, empty ones, and NULL."""
    server = FakePostgres(answer=echo)

    async def scene() -> None:
        connection = await PgConnection.open(server.address())
        [result] = await connection.run([("A", ["é😀'", "", None])])
        assert result.rows == [{"sql": "A", "p0": "é😀'", "p1": "", "p2": None}]

    run(scene())


@pytest.mark.parametrize(
    ("tag", "changes"), [("INSERT 0 3", 3), ("UPDATE 7", 7), ("DELETE 0", 0), ("BEGIN", 0), ("COMMIT", 0)]
)
def test_a_tag_tells_how_many_rows_have_changed(tag: str, changes: int) -> None:
    """The last number in it, and none where there is none."""

    async def scene() -> int:
        connection = await PgConnection.open(FakePostgres(answer=lambda *_: Rows(tag=tag)).address())
        [result] = await connection.run([("X", [])])
        return result.changes

    assert run(scene()) == changes


@cuts
@pytest.mark.parametrize("login", ["scram", "trust"])
@pytest.mark.parametrize("kept", [0, 1, 4, 5, 9])
def test_a_server_that_hangs_up_is_lost(cut: Cut, login: str, kept: int) -> None:
    """Before a message, in the middle of one, or behind: never an endless wait."""
    server = FakePostgres(answer=echo, login=login, cut=cut)

    async def scene() -> None:
        connection = await PgConnection.open(server.address())
        [stream] = server.connections
        server.silent = True
        stream.send(message(b"D", b"\0\1\0\0\0\1a")[:kept])
        stream.hang_up()
        with pytest.raises(ConnectionLost):
            await asyncio.wait_for(connection.run([("A", [])]), 5)

    if kept:
        run(scene())
    else:
        server.refuses_login = Refused("57P03", "the database system is starting up", "FATAL")
        with pytest.raises(ServerError):
            run(PgConnection.open(server.address()))


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"D\xff\xff\xff\xff",
        b"\0" * 64,
        message(b"D", b""),
        message(b"D", b"\0\1\0\0\0\x09a"),
        message(b"T", b"\0\x09a"),
        message(b"R", b"\0\0"),
        message(b"R", b"\0\0\0\x0bnonsense"),
        message(b"E", b"\xff\xfe"),
    ],
    ids=repr,
)
def test_nonsense_is_a_lost_connection(garbage: bytes) -> None:
    """Not a defect of ours, and not waited for: the server sends it and closes."""
    server = FakePostgres(answer=echo)

    async def scene() -> None:
        connection = await PgConnection.open(server.address())
        server.silent = True
        server.connections[0].send(garbage)
        server.connections[0].hang_up()
        with pytest.raises(ConnectionLost):
            await asyncio.wait_for(connection.run([("A", [])]), 5)

    run(scene())


def test_a_fatal_error_ends_the_connection() -> None:
    """An administrator stops the server while a statement runs: there is an error, and then nothing."""
    server = FakePostgres(answer=lambda *_: Refused("57P01", "terminating connection", "FATAL"))

    async def scene() -> None:
        connection = await PgConnection.open(server.address())
        server.connections[0]._server.silent = True  # but for the fatal error itself
        with pytest.raises((ConnectionLost, ServerError)):
            await asyncio.wait_for(connection.run([("A", [])]), 5)

    run(scene())


def test_a_server_that_cannot_be_reached_is_lost() -> None:
    """At the first byte."""
    server = FakePostgres(unreachable=True)
    with pytest.raises(ConnectionLost):
        run(PgConnection.open(server.address()))
    assert server.open == 0


def test_closing_never_fails() -> None:
    """Not even when the other side has gone already."""
    server = FakePostgres()

    async def scene() -> None:
        connection = await PgConnection.open(server.address())
        server.unreachable = True
        await connection.close()
        await connection.abandon()

    run(scene())
    assert server.open == 0
