"""Requests at the same time, and tasks of one request side by side."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from lib.gateway import model_store
from lib.gateway.models import ModelRoute
from lib.kernel.ids import new_id
from lib.ledger.usage import Price
from lib.store.database import CheckViolation, Statement, UniqueViolation
from lib.store.tenant import Org
from tests.contract.support.store_client import Call, batch, execute, query
from tests.contract.support.store_rows import models
from tests.contract.support.store_targets import NOW, Target, model_statement

BUMP = "UPDATE models SET version = version + 1 WHERE org_id = ?1"
PAIR = {"least": int, "most": int}


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Do it `count` times, each in a thread and so in a request of its own."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def test_updates_of_one_version_are_not_lost(target: Target, org: Org) -> None:
    """Thirty have read version 1. One wins; the others are told that it is no longer so."""
    target.new_model(org)
    sql = "UPDATE models SET provider = ?2, version = version + 1 WHERE org_id = ?1 AND id = 'm' AND version = 1"
    changed = at_once(30, lambda number: target.client.execute(org, sql, org.id, f"p{number}"))
    assert sorted(changed) == [0] * 29 + [1]
    assert models(target, org) == [("m", f"p{changed.index(1)}", 2)]


@pytest.mark.parametrize("count", [20, 80])
def test_groups_that_read_and_write_one_row_lose_nothing(target: Target, org: Org, count: int) -> None:
    """Each reads one row in order to write the other: as if one group ran after another."""
    for name in ("a", "b"):
        target.new_model(org, name)
    copy = (
        "UPDATE models SET version = 1 + (SELECT other.version FROM models AS other"
        " WHERE other.org_id = ?1 AND other.id = ?3) WHERE models.org_id = ?1 AND models.id = ?2"
    )
    group = [Statement(copy, (org.id, "a", "b")), Statement(copy, (org.id, "b", "a"))]
    assert at_once(count, lambda _: target.client.batch(org, *group)) == [[1, 1]] * count
    assert models(target, org) == [("a", "sim", 2 * count), ("b", "sim", 2 * count + 1)]


@pytest.mark.parametrize("priced", [False, True])
def test_of_all_models_that_are_made_at_once_as_many_are_made_as_may(
    target: Target, org: Org, monkeypatch: pytest.MonkeyPatch, priced: bool
) -> None:
    """Each counts in the group that makes it; who finds no room leaves no price behind."""
    monkeypatch.setattr(model_store, "MODELS", replace(model_store.MODELS, most=3))

    def make(number: int) -> int:
        price = Price(1, 2, None, new_id(NOW)) if priced else None
        group = model_store.put(org.id, ModelRoute(f"m{number}", "sim", "x", price), None, NOW)
        return target.client.batch(org, Statement("SELECT 1"), *group)[-1]

    assert sorted(at_once(12, make)) == [0] * 9 + [1] * 3
    assert len(models(target, org)) == 3
    prices = target.client.query(org, {"id": str}, "SELECT id FROM model_prices WHERE org_id = ?", org.id)
    assert len(prices) == (3 if priced else 0)


def test_only_one_of_many_makes_the_first_row(target: Target, org: Org) -> None:
    """`only if new`, by all at once."""

    def insert(number: int) -> Any:
        return target.client.ask(batch(org, model_statement(org, "m", f"p{number}"))).outcomes[0]

    outcomes = at_once(20, insert)
    assert outcomes.count([1]) == 1
    assert sum(type(outcome) is UniqueViolation for outcome in outcomes) == 19
    assert models(target, org) == [("m", f"p{outcomes.index([1])}", 1)]


def test_others_see_all_of_a_group_or_nothing(target: Target, org: Org) -> None:
    """While groups change two rows together, readers never find them apart."""
    for name in ("a", "b"):
        target.new_model(org, name)
    group = [Statement(BUMP + f" AND id = '{name}'", (org.id,)) for name in ("a", "b")]
    look = "SELECT min(version) AS least, max(version) AS most FROM models WHERE org_id = ?"

    def work(number: int) -> Any:
        if number % 2:
            return target.client.batch(org, *group)
        return [target.client.query(org, PAIR, look, org.id)[0] for _ in range(3)]

    seen = [pair for looks in at_once(20, work)[::2] for pair in looks]
    assert all(least == most for least, most in seen)
    assert [version for _, _, version in models(target, org)] == [11, 11]


def test_tasks_of_one_request_take_turns(target: Target, org: Org) -> None:
    """Side by side, each gets its own answer, failures too."""
    target.new_model(org)
    name = {"id": str}
    asks = [query(org, name, "SELECT CAST(?1 AS TEXT) AS id", f"{number}") for number in range(10)]
    refused = execute(org, "UPDATE models SET version = 0 WHERE org_id = ?1", org.id)
    answer = target.client.ask(
        *asks, refused, batch(org, Statement(BUMP, (org.id,))), Call("check", org), together=True
    )
    assert answer.outcomes[:10] == [[(f"{number}",)] for number in range(10)]
    assert type(answer.outcomes[10]) is CheckViolation
    assert answer.outcomes[11:] == [[1], None]
    assert answer.queries == (14 if target.owner_url else 13)  # the check asks PostgreSQL twice
    assert models(target, org) == [("m", "sim", 2)]


INJECTIONS = [
    "'; DROP TABLE models; --",
    "' OR '1'='1",
    "\\'; DELETE FROM models; --",
    "$1", "?2", ":org", "%s", "${x}", "a' || 'b", '"', "/*", "*/", "--", ";", "E'\\x41'", "$$a$$", "NULL", "}\n",
]  # fmt: skip


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_value_is_never_sql(target: Target, org: Org, text: str) -> None:
    """Wherever it is bound: written, compared, in a group, in JSON."""
    target.new_model(org, "untouched")
    target.client.batch(org, model_statement(org, text, text), Statement(BUMP + " AND id = ?2", (org.id, text)))
    sql = "SELECT id FROM models WHERE org_id = ?1 AND provider = ?2"
    assert target.client.query(org, {"id": str}, sql, org.id, text) == [(text,)]
    assert target.client.execute(org, "DELETE FROM models WHERE org_id = ?1 AND id = ?2", org.id, text) == 1
    assert models(target, org) == [("untouched", "sim", 1)]


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_scope_is_never_sql(target: Target, org: Org, text: str) -> None:
    """What a scope holds is bound as well: nobody has this id."""
    target.new_model(org)
    sql = "SELECT id FROM models WHERE org_id = ?1"
    assert target.client.query(Org(text), {"id": str}, sql, text) == []
    assert len(models(target, org)) == 1
