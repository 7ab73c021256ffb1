"""PostgreSQL is killed under load, and comes back; and no connection to it is left behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event

import httpx
import pytest

from lib.kernel.failures import Failure
from tests.e2e.support.chosen import STORE
from tests.e2e.support.headgate import Headgate, chat_body
from tests.e2e.support.log import failures
from tests.e2e.support.names import sim_model
from tests.e2e.support.poll import until
from tests.e2e.support.raw import Connection
from tests.e2e.support.stacks import Stacks
from tools.postgres import Postgres
from tools.stack import Stack

pytestmark = pytest.mark.skipif(STORE != "postgres", reason="D1 can't be killed apart from the Worker")

CALLERS = 8
REQUESTS = 1_000
OPEN_CONNECTIONS = "SELECT count(*) AS number FROM pg_stat_activity WHERE usename = 'headgate_worker'"


@pytest.fixture(scope="module")
def fragile(stacks: Stacks) -> Iterator[Stack]:
    """A Headgate of this module's own, whose database may be killed."""
    with stacks.new("fragile") as stack:
        yield stack


@pytest.fixture(scope="module")
def own(fragile: Stack) -> Iterator[Headgate]:
    with httpx.Client(timeout=60, limits=httpx.Limits(max_connections=100)) as http:
        yield Headgate(http, fragile.base_url, fragile.api_key)


def server_of(stack: Stack) -> Postgres:
    assert stack.postgres is not None
    return stack.postgres


def open_connections(stack: Stack) -> int:
    return int(stack.target().rows(OPEN_CONNECTIONS)[0]["number"])


def assert_refusal(answer: httpx.Response) -> None:
    """A 503 that says so in our own shape, when to try again, and nothing of what is behind it."""
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error"]["code"] == "unavailable"
    assert "postgres" not in answer.text.lower()


def test_a_killed_server_is_a_503_and_service_resumes_by_itself(fragile: Stack, own: Headgate) -> None:
    """Under load there are only right answers and refusals that say when to try again; nothing else, and no hanging."""
    over = Event()
    key, model = own.new_key(), sim_model()
    assert own.as_key(key.secret).chat(model).status_code == 200

    def load(number: int) -> list[httpx.Response]:
        answers = []
        while not over.is_set():
            answers.append(own.post("/api/v1/keys", {"name": "load"}) if number % 2 else own.get("/api/v1/keys"))
        return answers

    with ThreadPoolExecutor(CALLERS) as pool:
        loads = [pool.submit(load, number) for number in range(CALLERS)]
        time.sleep(1)
        server_of(fragile).kill()
        time.sleep(1)
        # Who is known to the isolate is confirmed by the gate, which has its own store: models go on answering.
        assert own.as_key(key.secret).chat(model).status_code == 200
        assert own.get("/readyz").json()["checks"] == {"database": "failed", "gate": "ok"}
        assert_refusal(own.get(f"/api/v1/keys/{key.id}"))
        for failure in (Failure.STORE_AWAY, Failure.STORE_LEDGER):
            until(lambda: failure.name.lower() in failures(fragile), f"{failure} to be noted")  # noqa: B023 - used at once
        server_of(fragile).start()
        until(lambda: own.get("/api/v1/keys").status_code == 200, "an answer after PostgreSQL is back")
        time.sleep(1)
        over.set()
        answers = [answer for load in loads for answer in load.result()]

    refused = [answer for answer in answers if answer.status_code not in (200, 201)]
    for answer in refused:
        assert_refusal(answer)
    assert refused
    assert all(list_load.result()[-1].status_code in (200, 201) for list_load in loads)
    assert len(own.records_when(2, model=model)) == 2
    until(lambda: open_connections(fragile) == 0, "all connections to be closed")


def test_no_connection_is_left_open(fragile: Stack, own: Headgate) -> None:
    """A thousand requests, among them refused ones, calls to models, and clients that leave in the middle."""
    key = own.new_key()

    def ask(number: int) -> None:
        kind = number % 5
        if kind == 0:
            own.post("/api/v1/keys", {"name": f"key {number}"}, idempotency_key=f"leak-{number}")
        elif kind == 1:
            own.get("/api/v1/usage")
        elif kind == 2:
            own.get("/api/v1/keys/01a00000-0000-7000-8000-000000000000")
        elif kind == 3:
            own.as_key(key.secret).chat("no-such-model")
        else:
            leave(number)

    def leave(number: int) -> None:
        with suppress(OSError), Connection(fragile.base_url) as connection:
            if number % 2:
                connection.post("/api/v1/keys", own.key, {"name": "left"})
            else:
                connection.post("/v1/chat/completions", own.key, chat_body(sim_model(), stream=True))
            time.sleep(number % 7 / 1000)
            connection.leave("rst")

    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(ask, range(REQUESTS)))
    until(lambda: open_connections(fragile) == 0, "all connections to be closed")
