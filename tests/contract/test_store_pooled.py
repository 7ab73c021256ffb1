"""PostgreSQL behind what may stand between: a pooler that gives each transaction another connection, and one that takes
packets apart. The contract of groups and scopes holds behind both.

What Hyperdrive itself does with a packet is not documented, and here nobody has one; these are the two worst cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lib.store import postgres
from lib.store.database import ScopeLost
from lib.store.dialect import POSTGRES
from lib.store.tenant import Org
from tests.contract.support.databases import FreshDatabase, as_superuser
from tests.contract.support.splitting import SplittingProxy
from tests.contract.support.store_client import Client
from tests.contract.support.store_targets import NOW, LoopThread, Target, on_cpython, postgres_store
from tests.contract.test_store_groups import (  # noqa: F401 - tried again, on the targets of this file
    test_a_group_of_one_and_of_none,
    test_a_group_that_fails_leaves_nothing,
    test_a_large_group,
    test_a_read_among_writes_changes_nothing,
    test_statements_see_the_ones_before_them,
)
from tests.contract.test_store_scopes import (  # noqa: F401
    test_a_forgotten_where_changes_only_ones_own,
    test_a_forgotten_where_shows_only_ones_own,
    test_a_job_over_all_organisations_has_one_table,
    test_a_presented_key_shows_itself,
    test_a_scope_ends_with_its_statement,
    test_another_organisation_is_not_to_be_asked_for,
    test_nothing_is_written_for_another_organisation,
    two,
)
from tools import pgbouncer
from tools.pgbouncer import PgBouncer
from tools.postgres_target import PostgresTarget

BEHIND = ("pgbouncer", "splitting-proxy")
ABSENT = "no pgbouncer on the PATH or in .tools: `python3 -m tools.pgbouncer` brings it"


@contextmanager
def between(what: str, folder: Path, url: str) -> Iterator[str]:
    """Yield the address of what stands before the database at `url`."""
    if what == "splitting-proxy":
        with SplittingProxy(url) as proxy:
            yield proxy.url
            assert proxy.split > 0
        return
    if pgbouncer.program() is None:
        pytest.skip(ABSENT)
    pooler = PgBouncer(folder / "pooler", url)
    try:
        yield pooler.url
    finally:
        pooler.stop()


@pytest.fixture(params=BEHIND, scope="module")
def target(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    loop_thread: LoopThread,
    store_database: FreshDatabase,
) -> Iterator[Target]:
    """PostgreSQL behind each of them in turn."""
    with between(request.param, tmp_path_factory.mktemp("between"), store_database.worker_url) as url:
        send = on_cpython(loop_thread, lambda limits: postgres_store(url, limits))
        yield Target(request.param, Client(POSTGRES, "", send), store_database.owner_url)


@pytest.fixture
def org(target: Target) -> Org:
    return target.new_org()


def check(loop: LoopThread, url: str) -> None:
    database = postgres_store(url, (5, 5)).open()
    try:
        loop.run(database.check())
    finally:
        loop.run(database.close())


@pytest.mark.parametrize("what", BEHIND)
def test_it_is_ready_behind_it(what: str, tmp_path: Path, loop_thread: LoopThread, database: FreshDatabase) -> None:
    """`GET /readyz` asks this: before the first organisation is made, and after the second."""
    PostgresTarget(database.owner_url).up()
    with between(what, tmp_path, database.worker_url) as url:
        check(loop_thread, url)
        for name in "ab":
            as_superuser(
                database.superuser_url,
                "INSERT INTO orgs (id, name, created_at, updated_at)"
                f" VALUES ('{name * 36}', '{name}', '{NOW}', '{NOW}')",
            )
            check(loop_thread, url)


def test_without_its_begin_a_statement_would_lose_its_scope(
    tmp_path: Path, loop_thread: LoopThread, store_database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the proxy does what it is for, and the check of `/readyz` sees it."""
    monkeypatch.setattr(postgres, "_BEGIN_ONE", "SELECT 1")
    expected = pytest.raises(ScopeLost, match="does not reach its statement")
    with between("splitting-proxy", tmp_path, store_database.worker_url) as url, expected:
        check(loop_thread, url)


def test_a_login_that_passes_by_the_wall_is_not_ready(loop_thread: LoopThread, store_database: FreshDatabase) -> None:
    """A superuser's, put into Hyperdrive by mistake. The owner is behind the wall like everybody."""
    with pytest.raises(ScopeLost, match="does not hold for the Worker's login"):
        check(loop_thread, store_database.superuser_url)
