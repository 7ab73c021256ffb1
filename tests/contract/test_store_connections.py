"""Connections to PostgreSQL: one a request at most, none without a statement, and none that stays."""

from __future__ import annotations

import http.client
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.store.tenant import Org
from tests.contract.support.databases import FreshDatabase
from tests.contract.support.sessions import sessions, wait_until_active, wait_until_gone
from tests.contract.support.store_client import Call, execute, query
from tests.contract.support.store_targets import Target
from tests.contract.support.store_worker import StoreWorker
from tools.ports import HOST

NOBODY = Org("00000000-0000-7000-8000-000000000000")
PID = query(NOBODY, {"pid": int}, "SELECT pg_backend_pid() AS pid")
SLEEP = query(NOBODY, {"number": int}, "SELECT 1 AS number FROM pg_sleep(1.5)")
BAD = execute(NOBODY, "SELEC")
SLOW, LIMITS = 1.0, (1.0, 5.0)
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset
REQUESTS, LEAVING = 300, 60


def test_a_request_has_one_connection(postgres_target: Target) -> None:
    """For all its statements, one after another or side by side, failed ones between them too."""
    for together in (False, True):
        outcomes = postgres_target.client.ask(PID, BAD, PID, PID, together=together).outcomes
        assert len({outcomes[at][0] for at in (0, 2, 3)}) == 1
    first, second = (postgres_target.client.ask(PID).outcomes for _ in range(2))
    assert first != second  # never shared by requests


def test_a_request_that_asks_nothing_connects_to_nothing(postgres_target: Target) -> None:
    """Nor does one whose values are refused before they are sent."""
    refused = query(NOBODY, {"number": int}, "SELECT CAST(?1 AS BIGINT) AS number", 2**60)
    for calls in ((), (refused,)):
        answer = postgres_target.client.ask(*calls)
        assert (answer.queries, answer.connected) == (0, False)
    assert postgres_target.client.ask(PID).connected


@pytest.mark.parametrize("runtime", ["postgres", "postgres-on-cpython"])
def test_closing_ends_the_connection(
    request: pytest.FixtureRequest, store_database: FreshDatabase, runtime: str
) -> None:
    """At once, not when the runtime tidies up behind the request. A later statement opens another."""
    target: Target = request.getfixturevalue("cpython_target" if "cpython" in runtime else "postgres_target")
    others = query(
        NOBODY,
        {"number": int},
        "SELECT count(*) AS number FROM pg_stat_activity, pg_sleep(0.3)"
        " WHERE usename = current_user AND datname = current_database()",
    )
    close = Call("close", NOBODY)
    answer = target.client.ask(PID, BAD, close, close, PID, others)
    assert answer.outcomes[0] != answer.outcomes[4]
    assert answer.outcomes[5] == [(1,)]  # itself
    assert wait_until_gone(store_database, 2) == 0


def leave(worker: StoreWorker, text: str, *, reset: bool) -> None:
    """Ask as a client that goes away while its statement runs: with a reset, or in order."""
    connection = http.client.HTTPConnection(HOST, worker.port)
    connection.request("POST", "/", text)
    time.sleep(0.3)
    if reset and connection.sock is not None:
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


def test_nothing_is_left_of_three_hundred_requests(
    postgres_target: Target, store_worker: StoreWorker, store_database: FreshDatabase
) -> None:
    """Good ones, failing ones, ones that time out, and ones whose client leaves in the middle."""
    client = postgres_target.client
    sleep = client.text(SLEEP, limits=LIMITS)

    def request(number: int) -> None:
        if number % 5 == 0:
            leave(store_worker, sleep, reset=number % 2 == 0)
        elif number % 25 == 1:
            client.ask(SLEEP, limits=LIMITS)
        else:
            assert client.ask(PID, BAD, PID).outcomes[2]

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(request, range(REQUESTS)))
    assert wait_until_gone(store_database, SLOW + 3) == 0


def test_a_client_that_leaves_is_seen_leaving(
    postgres_target: Target, store_worker: StoreWorker, store_database: FreshDatabase
) -> None:
    """Its statement is under way, and over at the statement's limit at the latest."""
    text = postgres_target.client.text(SLEEP, limits=LIMITS)
    with ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(leave, store_worker, text, reset=True) for _ in range(5)]
        wait_until_active(store_database, 5)
        for each in asked:
            each.result()
    assert wait_until_gone(store_database, SLOW + 2) == 0
    assert sessions(store_database) == 0
