"""PostgreSQL that is not there, refuses, or goes away: told as an outage within a bounded time, and over when it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest

from lib.store.database import Statement, StoreError, StoreTimeout, StoreUnavailable
from lib.store.session import CONNECT_SECONDS
from lib.store.tenant import Org
from tests.contract.support.databases import FreshDatabase, as_superuser
from tests.contract.support.sessions import wait_until_active, wait_until_gone
from tests.contract.support.store_client import Answer, batch, query
from tests.contract.support.store_fixtures import WRONG_PASSWORD
from tests.contract.support.store_rows import models
from tests.contract.support.store_targets import Target, model_statement
from tools.postgres import Postgres

NUMBER = {"number": int}
NOBODY = Org("00000000-0000-7000-8000-000000000000")
ONE = query(NOBODY, NUMBER, "SELECT 1 AS number")
SLEEP = query(NOBODY, NUMBER, "SELECT 1 AS number FROM pg_sleep(30)")
SOON = CONNECT_SECONDS - 0.5  # what is told at once is not told by a limit


@contextmanager
def within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def the_one(answer: Answer) -> object:
    [outcome] = answer.outcomes
    return outcome


@pytest.fixture
def database_name(store_database: FreshDatabase) -> str:
    return store_database.superuser_url.rpartition("/")[2]


@pytest.fixture
def server(postgres: Postgres) -> Iterator[Postgres]:
    """The server, which runs again when the test is over."""
    yield postgres
    postgres.start()


@pytest.mark.parametrize("runtime", ["postgres", "postgres-on-cpython"])
def test_a_server_that_dies_under_a_statement(
    request: pytest.FixtureRequest, server: Postgres, store_database: FreshDatabase, runtime: str
) -> None:
    """It is told at once, not at a limit; so is each request until the server is back. Then all goes on by itself."""
    target: Target = request.getfixturevalue("cpython_target" if "cpython" in runtime else "postgres_target")
    org = target.new_org()
    target.new_model(org, "before")
    with ThreadPoolExecutor(4) as pool:
        group = batch(org, model_statement(org, "lost"), Statement("SELECT 1 AS number FROM pg_sleep(30)"))
        waiting = [pool.submit(target.client.ask, ask, limits=(20, 5)) for ask in (SLEEP, SLEEP, group)]
        wait_until_active(store_database, 3)
        with within(SOON):
            server.kill()
            for each in waiting:
                assert type(the_one(each.result())) is StoreUnavailable
    with within(SOON):
        answer = target.client.ask(ONE, ONE)
        assert [type(outcome) for outcome in answer.outcomes] == [StoreUnavailable] * 2
        assert not answer.connected
    server.start()
    assert target.client.ask(ONE).outcomes == [[(1,)]]
    assert models(target, org) == [("before", "sim", 1)]


def test_a_connection_that_the_server_ends(postgres_target: Target, store_database: FreshDatabase) -> None:
    """An operator ends it, or the server is stopped in order: an outage, and the request's next statement connects."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(postgres_target.client.ask, SLEEP, ONE, limits=(20, 5))
        wait_until_active(store_database, 1)
        as_superuser(
            store_database.superuser_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = 'headgate_worker'",
        )
        with within(SOON):
            ended, after = waiting.result().outcomes
    assert type(ended) is StoreUnavailable
    assert after == [(1,)]


def test_a_wrong_password(postgres_target: Target) -> None:
    """Our setting is wrong, or has been changed there: an outage until it is mended. No secret is told."""
    wrong = replace(postgres_target.client, binding="WRONG_PASSWORD")
    with within(SOON):
        outcome = the_one(wrong.ask(ONE))
    assert type(outcome) is StoreUnavailable
    assert str(outcome).startswith("28P01 ")
    assert WRONG_PASSWORD not in str(outcome)
    assert postgres_target.client.ask(ONE).outcomes == [[(1,)]]
    assert type(the_one(wrong.ask(ONE))) is StoreUnavailable


def test_a_password_that_changes(postgres_target: Target, postgres: Postgres, store_database: FreshDatabase) -> None:
    """What was derived from the old salt is of no use with a new one."""
    assert postgres_target.client.ask(ONE).outcomes == [[(1,)]]
    password = postgres.worker_url.partition("@")[0].rpartition(":")[2]
    as_superuser(store_database.superuser_url, f"ALTER ROLE headgate_worker PASSWORD '{password}'")  # a new salt
    assert postgres_target.client.ask(ONE).outcomes == [[(1,)]]


def test_no_connection_to_spare(postgres_target: Target, store_database: FreshDatabase, database_name: str) -> None:
    """SQLSTATE 53300, as when max_connections is used up."""
    as_superuser(store_database.superuser_url, f"ALTER DATABASE {database_name} CONNECTION LIMIT 0")
    try:
        with within(SOON):
            outcome = the_one(postgres_target.client.ask(ONE))
    finally:
        as_superuser(store_database.superuser_url, f"ALTER DATABASE {database_name} CONNECTION LIMIT -1")
    assert type(outcome) is StoreUnavailable
    assert str(outcome).startswith("53300 ")
    assert postgres_target.client.ask(ONE).outcomes == [[(1,)]]


@pytest.mark.parametrize(
    ("binding", "expected"),
    [
        ("NOBODY_THERE", StoreUnavailable),
        ("CLOSING", StoreUnavailable),
        ("NO_POSTGRES", StoreUnavailable),
        ("SILENT", StoreTimeout),
    ],
)
def test_no_server_that_answers(postgres_target: Target, binding: str, expected: type[StoreError]) -> None:
    """Nobody listens, it hangs up, it is another kind of server, or it says nothing."""
    odd = replace(postgres_target.client, binding=binding)
    with within(SOON):
        answer = odd.ask(ONE, ONE, limits=(10, 0.5))
    assert [type(outcome) for outcome in answer.outcomes] == [expected] * 2
    assert not answer.connected


def test_the_server_stops_in_order(server: Postgres, store_database: FreshDatabase, postgres_target: Target) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(postgres_target.client.ask, SLEEP, limits=(20, 5))
        wait_until_active(store_database, 1)
        server.stop()
        with within(SOON):
            assert type(the_one(waiting.result())) is StoreUnavailable
    server.start()
    assert postgres_target.client.ask(ONE).outcomes == [[(1,)]]
    assert wait_until_gone(store_database, SOON) == 0
