"""Real databases: one PostgreSQL server for all tests, and D1 under wrangler in folders of its own.

`HEADGATE_TEST_STORE` chooses the tests of one store, and each test belongs to exactly one; without it all are run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.support.databases import FreshDatabase, fresh_database
from tests.contract.support.migrating import Ground
from tests.contract.support.store_fixtures import (  # noqa: F401 - fixtures of the stores' contract
    cpython_target,
    d1_target,
    loop_thread,
    org,
    postgres_target,
    real_target,
    sqlite_target,
    store_database,
    store_worker,
    target,
)
from tools.postgres import Postgres
from tools.state import STORES, State, Store, store_named


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what belongs to the other store."""
    chosen = os.environ.get("HEADGATE_TEST_STORE")
    if chosen:
        store = store_named(chosen)
        config.hook.pytest_deselected(items=[item for item in items if store_of(item) != store])
        items[:] = [item for item in items if store_of(item) == store]


def store_of(item: pytest.Item) -> Store:
    """The store that a test is about. Whatever is about none belongs to D1's."""
    callspec = getattr(item, "callspec", None)
    tried_on = [str(value) for value in callspec.params.values()] if callspec is not None else []
    if any(value in tried_on for value in ("d1", "sqlite")):
        return "d1"
    used = set(getattr(item, "fixturenames", ()))
    only = "postgres" in used and not used & {"store_worker", "target", "real_target"}
    return "postgres" if only or any(value.startswith("postgres") for value in tried_on) else "d1"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """The server. Tests make databases of their own on it."""
    server = Postgres(tmp_path_factory.mktemp("postgres"), lambda _line, _stream: None)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def database(postgres: Postgres) -> Iterator[FreshDatabase]:
    """An empty database for one test."""
    with fresh_database(postgres) as made:
        yield made


@pytest.fixture(scope="module")
def module_database(postgres: Postgres) -> Iterator[FreshDatabase]:
    """An empty database for the tests of one module."""
    with fresh_database(postgres) as made:
        yield made


@pytest.fixture
def state(tmp_path: Path) -> State:
    """A folder with no data yet, for a local D1."""
    made = State(tmp_path / "state")
    made.folder.mkdir(mode=0o700)
    return made


@pytest.fixture(params=STORES)
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    """An empty database of each store in turn, to be migrated."""
    store: Store = request.param
    where = request.getfixturevalue("state" if store == "d1" else "database")
    return Ground(store, tmp_path / "tree", where if store == "d1" else where.owner_url)
