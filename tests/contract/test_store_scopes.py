"""Two walls between organisations: PostgreSQL shows no other rows, and on D1 what could show them is not sent."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lib.store.database import TenantViolation
from lib.store.tenant import EveryOrg, Org, Presented
from tests.contract.support.store_client import execute, query
from tests.contract.support.store_rows import models
from tests.contract.support.store_targets import INSERT_MODEL, NOW, Target, model_statement

ID = {"id": str}
ANSWER = (
    "INSERT INTO idempotent_answers (org_id, key_hash, request_hash, created_at, updated_at)"
    " VALUES (?1, ?2, ?2, ?3, ?3)"
)


@dataclass(frozen=True)
class Two:
    """Two organisations, each with two models (`own` first) and one key."""

    own: Org
    other: Org
    hash: str
    other_hash: str


@pytest.fixture
def two(target: Target) -> Two:
    pair = target.new_org(), target.new_org()
    hashes = [org.id.ljust(64, "f") for org in pair]
    for org, secret_hash in zip(pair, hashes, strict=True):
        target.client.batch(org, *(model_statement(org, name) for name in (f"a-{org.id}", f"b-{org.id}")))
        target.new_key(org, secret_hash=secret_hash)
    return Two(*pair, *hashes)


def has_policies(target: Target) -> bool:
    return target.owner_url is not None


def test_a_forgotten_where_shows_only_ones_own(target: Target, two: Two) -> None:
    for sql, values in (
        ("SELECT id FROM models ORDER BY id", []),
        ("SELECT id FROM models WHERE id <> ? ORDER BY id", ["x"]),
        ("SELECT id FROM models WHERE org_id = ?1 OR org_id = ?2 ORDER BY id", [two.own.id, two.other.id]),
    ):
        if has_policies(target):
            assert target.client.query(two.own, ID, sql, *values) == [(f"a-{two.own.id}",), (f"b-{two.own.id}",)]
        else:
            with pytest.raises(TenantViolation):
                target.client.query(two.own, ID, sql, *values)


@pytest.mark.parametrize("sql", ["UPDATE models SET provider = 'mine'", "DELETE FROM models"])
def test_a_forgotten_where_changes_only_ones_own(target: Target, two: Two, sql: str) -> None:
    theirs = models(target, two.other)
    if has_policies(target):
        assert target.client.execute(two.own, sql) == 2
    else:
        with pytest.raises(TenantViolation):
            target.client.execute(two.own, sql)
        assert {provider for _, provider, _ in models(target, two.own)} == {"sim"}
    assert models(target, two.other) == theirs


BY_ORG = "SELECT id FROM models WHERE org_id = ?"
JOINED = "SELECT models.id FROM models JOIN orgs ON orgs.id = models.org_id WHERE models.org_id = ?"


@pytest.mark.parametrize("sql", [BY_ORG, JOINED], ids=["alone", "joined"])
def test_another_organisation_is_not_to_be_asked_for(target: Target, two: Two, sql: str) -> None:
    """The condition is there, with the wrong organisation bound."""
    if has_policies(target):
        assert target.client.query(two.own, ID, sql, two.other.id) == []
    else:
        with pytest.raises(TenantViolation):
            target.client.query(two.own, ID, sql, two.other.id)


def test_nothing_is_written_for_another_organisation(target: Target, two: Two) -> None:
    """Neither a new row of theirs, nor one's own given away, nor theirs taken over by a conflict."""
    upsert = INSERT_MODEL + " ON CONFLICT (org_id, id) DO UPDATE SET provider = excluded.provider"
    theirs = (two.other.id, f"a-{two.other.id}", "mine", "x", NOW)
    for sql, values in (
        (INSERT_MODEL, (two.other.id, "new", "sim", "x", NOW)),
        (upsert, theirs),
        ("UPDATE models SET org_id = ?1", (two.other.id,)),
        ("UPDATE models SET org_id = ?1 WHERE org_id = ?2", (two.other.id, two.own.id)),
        ("UPDATE models SET org_id = ?1 WHERE models.org_id = ?2 AND id = ?3", (two.other.id, two.own.id, "a")),
    ):
        answer = target.client.ask(execute(two.own, sql, *values))
        [outcome] = answer.outcomes
        nothing_to_change = sql.endswith("id = ?3") and outcome == 0 and has_policies(target)
        assert nothing_to_change or type(outcome) is TenantViolation, sql
    assert {provider for _, provider, _ in models(target, two.other)} == {"sim"}
    assert len(models(target, two.other)) == len(models(target, two.own)) == 2


def test_a_group_with_one_bad_statement_does_nothing(target: Target, two: Two) -> None:
    with pytest.raises(TenantViolation):
        target.client.batch(two.own, model_statement(two.own, "c"), model_statement(two.other, "c"))
    assert len(models(target, two.own)) == len(models(target, two.other)) == 2


def test_a_presented_key_shows_itself(target: Target, two: Two) -> None:
    scope, row = Presented(two.hash), {"org_id": str}
    sql = "SELECT org_id FROM api_keys WHERE secret_hash = ?"
    assert target.client.query(scope, row, sql, two.hash) == [(two.own.id,)]
    missing = "0" * 64
    assert target.client.query(Presented(missing), row, sql, missing) == []
    for wrong, values, seen in (
        (sql, [two.other_hash], []),
        ("SELECT org_id FROM api_keys", [], [(two.own.id,)]),
        ("SELECT org_id FROM api_keys WHERE org_id = ?", [two.other.id], []),
        ("SELECT org_id FROM models", [], []),
        ("SELECT org_id FROM models WHERE org_id = ?", [two.own.id], []),
        ("SELECT id AS org_id FROM orgs WHERE id = ?", [two.own.id], []),
    ):
        if has_policies(target):
            assert target.client.query(scope, row, wrong, *values) == seen, wrong
        else:
            with pytest.raises(TenantViolation):
                target.client.query(scope, row, wrong, *values)


def test_a_presented_key_writes_nothing(target: Target, two: Two) -> None:
    scope = Presented(two.hash)
    for sql, values in (
        ("UPDATE api_keys SET name = 'mine' WHERE secret_hash = ?", (two.hash,)),
        (INSERT_MODEL, (two.own.id, "c", "sim", "chat", NOW)),
    ):
        [outcome] = target.client.ask(execute(scope, sql, *values)).outcomes
        assert outcome == 0 or type(outcome) is TenantViolation, sql
    name = "SELECT name AS id FROM api_keys WHERE org_id = ?"
    assert target.client.query(two.own, ID, name, two.own.id) == [("key",)]
    assert len(models(target, two.own)) == 2


def test_a_job_over_all_organisations_has_one_table(target: Target, two: Two) -> None:
    job, hashes = EveryOrg("idempotent_answers"), [two.own.id.ljust(64, "a"), two.other.id.ljust(64, "a")]
    for org, key_hash in zip((two.own, two.other), hashes, strict=True):
        target.client.execute(org, ANSWER, org.id, key_hash, NOW)
    both = " WHERE key_hash IN (?1, ?2)"
    found = target.client.query(
        job, {"org_id": str}, "SELECT org_id FROM idempotent_answers" + both + " ORDER BY org_id", *hashes
    )
    assert found == sorted([(two.own.id,), (two.other.id,)])
    for sql in ("SELECT id FROM models", "SELECT id FROM api_keys", "SELECT id FROM orgs"):
        if has_policies(target):
            assert target.client.query(job, ID, sql) == []
        else:
            with pytest.raises(TenantViolation):
                target.client.query(job, ID, sql)
    for sql, values in (
        ("UPDATE idempotent_answers SET answer = 'x'", ()),
        ("DELETE FROM models", ()),
        (ANSWER, (two.own.id, "b" * 64, NOW)),
    ):
        [outcome] = target.client.ask(execute(job, sql, *values)).outcomes
        assert outcome == 0 or type(outcome) is TenantViolation, sql
    assert target.client.execute(job, "DELETE FROM idempotent_answers" + both, *hashes) == 2
    assert len(models(target, two.own)) == 2


def test_a_scope_ends_with_its_statement(target: Target, two: Two) -> None:
    """One request, and on PostgreSQL one connection: each call has its own scope, also behind a refused one."""
    own, other = (query(org, ID, "SELECT id FROM models WHERE org_id = ? ORDER BY id", org.id)
                  for org in (two.own, two.other))  # fmt: skip
    stolen = query(two.own, ID, "SELECT id FROM models WHERE org_id = ?", two.other.id)
    key = query(Presented(two.hash), {"org_id": str}, "SELECT org_id FROM api_keys WHERE secret_hash = ?", two.hash)
    bad = execute(two.other, "UPDATE models SET version = 0 WHERE org_id = ?", two.other.id)
    outcomes = target.client.ask(own, stolen, other, stolen, key, stolen, bad, stolen, own).outcomes
    rows = [[(f"{letter}-{org.id}",) for letter in "ab"] for org in (two.own, two.other)]
    assert [outcomes[at] for at in (0, 2, 4, 8)] == [rows[0], rows[1], [(two.own.id,)], rows[0]]
    for at in (1, 3, 5, 7):
        assert outcomes[at] == [] or type(outcomes[at]) is TenantViolation


def test_what_is_refused_on_d1_is_not_sent(sqlite_target: Target) -> None:
    """The fake would have run it: it holds the rows, and nothing else stands in the way."""
    one, two = sqlite_target.new_org(), sqlite_target.new_org()
    sqlite_target.new_model(two)
    answer = sqlite_target.client.ask(execute(one, "DELETE FROM models"))
    assert type(answer.outcomes[0]) is TenantViolation
    assert models(sqlite_target, two) == [("m", "sim", 1)]
