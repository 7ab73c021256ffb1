"""What takes too long is given up, told as a timeout, and leaves nothing behind."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from lib.store.database import Statement, StoreTimeout
from tests.contract.support.databases import FreshDatabase
from tests.contract.support.sessions import wait_until_gone
from tests.contract.support.store_client import batch, query
from tests.contract.support.store_rows import models, write_models
from tests.contract.support.store_targets import Target, model_statement
from tools.postgres_client import connected

NUMBER = {"number": int}
SLEEP = "SELECT 1 AS number FROM pg_sleep({})"
# No WITH, so no recursion: every pair of rows of one organisation, thrice.
SLOW = (
    "SELECT count(*) AS number FROM models AS a JOIN models AS b ON b.org_id = ?1 JOIN models AS c ON c.org_id = ?1"
    " WHERE a.org_id = ?1 AND a.provider || b.provider || c.provider <> 'x'"
)
SHORT = (0.5, 5.0)


@pytest.fixture(params=["postgres", "postgres-on-cpython"])
def with_sleep(request: pytest.FixtureRequest) -> Target:
    found: Target = request.getfixturevalue("cpython_target" if "cpython" in request.param else "postgres_target")
    return found


def test_a_slow_statement(with_sleep: Target, store_database: FreshDatabase) -> None:
    """The server ends it at our limit, so the connection is good for the next statement of the request."""
    org, started = with_sleep.new_org(), time.monotonic()
    sleep, quick = query(org, NUMBER, SLEEP.format(20)), query(org, NUMBER, SLEEP.format(0))
    answer = with_sleep.client.ask(sleep, quick, limits=SHORT)
    assert time.monotonic() - started < 15  # it would have slept for 20
    assert type(answer.outcomes[0]) is StoreTimeout
    assert answer.outcomes[1] == [(1,)]
    assert wait_until_gone(store_database, 2) == 0


def test_a_slow_statement_in_a_group(with_sleep: Target) -> None:
    """What the group had done is undone."""
    org = with_sleep.new_org()
    group = [model_statement(org, "a"), Statement(SLEEP.format(20)), model_statement(org, "b")]
    answer = with_sleep.client.ask(batch(org, *group), limits=SHORT)
    assert type(answer.outcomes[0]) is StoreTimeout
    assert models(with_sleep, org) == []


def test_the_limit_is_each_statements_own(with_sleep: Target) -> None:
    """Three statements within it, that together take longer."""
    org = with_sleep.new_org()
    group = batch(org, *[Statement(SLEEP.format(0.3))] * 3)
    [outcome] = with_sleep.client.ask(group, limits=SHORT).outcomes
    assert len(outcome) == 3


def test_waiting_for_a_lock_is_limited_too(with_sleep: Target, store_database: FreshDatabase) -> None:
    """Somebody else holds the row."""
    org = with_sleep.new_org()
    with_sleep.new_model(org)
    change = batch(org, Statement("UPDATE models SET version = 2 WHERE org_id = ?", (org.id,)))
    with connected(store_database.owner_url) as owner:
        owner.run(f"BEGIN; UPDATE models SET provider = 'held' WHERE org_id = '{org.id}'")
        [outcome] = with_sleep.client.ask(change, limits=SHORT).outcomes
        assert type(outcome) is StoreTimeout
        owner.run("ROLLBACK")
    assert with_sleep.client.do(change) == [1]


def test_a_slow_d1(d1_target: Target) -> None:
    """Its client hears of the timeout, while D1 may do the work all the same. The next statement has its own time."""
    org, started = d1_target.new_org(), time.monotonic()
    slow = replace(d1_target.client, binding="SLOW_DB")
    [outcome] = slow.ask(batch(org, model_statement(org, "a")), limits=SHORT).outcomes
    assert type(outcome) is StoreTimeout
    assert time.monotonic() - started < 2.9  # before the answer could have come
    assert slow.ask(batch(org, model_statement(org, "b"))).outcomes == [[1]]
    assert "b" in [name for name, _, _ in models(d1_target, org)]


def test_a_slow_statement_on_d1(d1_target: Target) -> None:
    """D1 has no limit of its own that we could set. Locally it blocks workerd's thread, so that our timer may come too
    late; then the answer counts."""
    org, started = d1_target.new_org(), time.monotonic()
    write_models(d1_target, org, [(f"{number}", 1) for number in range(100)])
    asks = query(org, NUMBER, SLOW, org.id), query(org, NUMBER, "SELECT 1 AS number")
    slow, quick = d1_target.client.ask(*asks, limits=(0.02, 5)).outcomes
    assert slow == [(100**3,)] or type(slow) is StoreTimeout
    assert quick == [(1,)]
    assert time.monotonic() - started < 10
