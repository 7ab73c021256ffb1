"""Fixtures of the stores' contract; conftest.py brings them in."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from lib.store.d1 import D1Store
from lib.store.dialect import POSTGRES, SQLITE
from lib.store.tenant import Org
from tests.contract.support.databases import FreshDatabase, fresh_database
from tests.contract.support.odd_server import OddServer, on_port, with_password
from tests.contract.support.store_client import Client
from tests.contract.support.store_targets import LoopThread, Target, on_cpython, postgres_store
from tests.contract.support.store_worker import StoreWorker
from tests.unit.store.sqlite_binding import SqliteBinding
from tools.d1_target import D1Target
from tools.ports import free_port
from tools.postgres import Postgres
from tools.postgres_target import PostgresTarget
from tools.state import State

WRONG_PASSWORD = "not-the-password-but-a-secret"
REAL = ("d1", "postgres")
TARGETS = ("sqlite", *REAL, "postgres-on-cpython")


@pytest.fixture(scope="session")
def store_database(postgres: Postgres) -> Iterator[FreshDatabase]:
    """The PostgreSQL database behind the test Worker, migrated."""
    with fresh_database(postgres) as made:
        PostgresTarget(made.owner_url).up()
        yield made


@pytest.fixture(scope="session")
def store_worker(tmp_path_factory: pytest.TempPathFactory, store_database: FreshDatabase) -> Iterator[StoreWorker]:
    """The test Worker, with both stores migrated, and with bindings to servers that are no good."""
    state = State(tmp_path_factory.mktemp("store-worker"))
    D1Target.local(state).up()
    url = store_database.worker_url
    with OddServer(b"") as silent, OddServer(b"HTTP/1.1 400 Bad Request\r\n\r\n") as other, OddServer(None) as closing:
        worker = StoreWorker(
            state,
            {
                "HYPERDRIVE": url,
                "WRONG_PASSWORD": with_password(url, WRONG_PASSWORD),
                "SILENT": on_port(url, silent.port),
                "NO_POSTGRES": on_port(url, other.port),
                "CLOSING": on_port(url, closing.port),
                "NOBODY_THERE": on_port(url, free_port()),
            },
        )
        yield worker
        worker.stop()


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.stop()


@pytest.fixture(scope="session")
def sqlite_target(loop_thread: LoopThread) -> Iterator[Target]:
    """The fake that unit tests use."""

    async def made() -> SqliteBinding:
        return SqliteBinding()

    async def closed() -> None:
        binding.connection.close()

    binding = loop_thread.run(made())
    send = on_cpython(loop_thread, lambda limits: D1Store(binding, time.monotonic, limits[0]))
    yield Target("sqlite", Client(SQLITE, "", send))
    loop_thread.run(closed())


@pytest.fixture(scope="session")
def cpython_target(loop_thread: LoopThread, store_database: FreshDatabase) -> Target:
    url = store_database.worker_url
    send = on_cpython(loop_thread, lambda limits: postgres_store(url, limits))
    return Target("postgres-on-cpython", Client(POSTGRES, "", send), store_database.owner_url)


@pytest.fixture(scope="session")
def d1_target(store_worker: StoreWorker) -> Target:
    return Target("d1", Client(SQLITE, "DB", store_worker.send))


@pytest.fixture(scope="session")
def postgres_target(store_worker: StoreWorker, store_database: FreshDatabase) -> Target:
    return Target("postgres", Client(POSTGRES, "HYPERDRIVE", store_worker.send), store_database.owner_url)


def _target(request: pytest.FixtureRequest) -> Target:
    fixture = {"postgres-on-cpython": "cpython_target"}.get(request.param, f"{request.param}_target")
    target: Target = request.getfixturevalue(fixture)
    return target


@pytest.fixture(params=TARGETS, scope="session")
def target(request: pytest.FixtureRequest) -> Target:
    """Each store in turn."""
    return _target(request)


@pytest.fixture(params=REAL, scope="session")
def real_target(request: pytest.FixtureRequest) -> Target:
    """Each store in turn, in the real runtime."""
    return _target(request)


@pytest.fixture
def org(target: Target) -> Org:
    """An organisation of the test's own."""
    return target.new_org()
