"""A group of statements happens whole or not at all."""

from __future__ import annotations

import pytest

from lib.store.database import CheckViolation, Statement, StoreError, UniqueViolation
from lib.store.tenant import Org
from tests.contract.support.store_rows import models
from tests.contract.support.store_targets import NOW, Target, model_statement

BUMP = "UPDATE models SET version = version + 1 WHERE org_id = ?1"


@pytest.mark.parametrize("at", [0, 1, 2], ids=["first", "middle", "last"])
@pytest.mark.parametrize("kind", ["unique", "check", "wrong"])
def test_a_group_that_fails_leaves_nothing(target: Target, org: Org, at: int, kind: str) -> None:
    """Wherever it fails, and for whatever reason; the error is the failing statement's."""
    target.new_model(org, "there")
    bad, expected = {
        "unique": (model_statement(org, "there"), UniqueViolation),
        "check": (model_statement(org, "x", provider=""), CheckViolation),
        "wrong": (Statement("UPDATE models SET nothing = 1 WHERE org_id = ?1", (org.id,)), StoreError),
    }[kind]
    group = [model_statement(org, "new"), Statement(BUMP, (org.id,))]
    group.insert(at, bad)
    with pytest.raises(StoreError) as refusal:
        target.client.batch(org, *group)
    assert type(refusal.value) is expected
    assert models(target, org) == [("there", "sim", 1)]


def test_statements_see_the_ones_before_them(target: Target, org: Org) -> None:
    changed = target.client.batch(
        org,
        model_statement(org, "a"),
        Statement(BUMP, (org.id,)),
        Statement(
            "INSERT INTO models (org_id, id, provider, upstream_model, version, created_at, updated_at)"
            " SELECT ?1, 'b', models.provider, models.upstream_model, models.version + 10, ?2, ?2"
            " FROM models WHERE models.org_id = ?1",
            (org.id, NOW),
        ),
        Statement(BUMP, (org.id,)),
        Statement("DELETE FROM models WHERE org_id = ?1 AND version = 3", (org.id,)),
    )
    assert changed == [1, 1, 1, 2, 1]
    assert models(target, org) == [("b", "sim", 13)]


def test_a_large_group(target: Target, org: Org) -> None:
    statements = [model_statement(org, f"{number:03}") for number in range(150)]
    assert target.client.batch(org, *statements) == [1] * 150
    assert [name for name, _, _ in models(target, org)] == [f"{number:03}" for number in range(150)]


def test_a_group_of_one_and_of_none(target: Target, org: Org) -> None:
    assert target.client.batch(org, model_statement(org, "a")) == [1]
    assert target.client.batch(org) == []


def test_a_read_among_writes_changes_nothing(target: Target, org: Org) -> None:
    read = Statement("SELECT id FROM models WHERE org_id = ?", (org.id,))
    assert target.client.batch(org, model_statement(org, "a"), read) == [1, 0]
