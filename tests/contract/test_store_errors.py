"""What a store refuses becomes the same typed error on both, and spoils nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lib.store.database import (
    CheckViolation,
    ForeignKeyViolation,
    NotNullViolation,
    Statement,
    StoreError,
    UniqueViolation,
)
from lib.store.tenant import Org
from tests.contract.support.store_client import batch, execute, query
from tests.contract.support.store_rows import models, usage, usage_statement
from tests.contract.support.store_targets import Target, model_statement

NOBODY = "00000000-0000-7000-8000-000000000000"
SET_MODEL = "UPDATE models SET {} = ?2 WHERE org_id = ?1"

VIOLATIONS: dict[str, tuple[type[StoreError], Callable[[Target, Org], object]]] = {
    "primary key": (UniqueViolation, lambda target, org: (target.new_model(org), target.new_model(org))),
    "unique column": (
        UniqueViolation,
        lambda target, org: [target.new_key(org, secret_hash=org.id.ljust(64)) for _ in range(2)],
    ),
    "unique column of an update": (
        UniqueViolation,
        lambda target, org: (target.new_model(org, "a"), target.new_model(org, "b"), update(target, org, "id", "a")),
    ),
    "foreign key": (
        ForeignKeyViolation,
        lambda target, org: target.client.batch(org, usage_statement(org, NOBODY, NOBODY)),
    ),
    "foreign key of an update": (
        ForeignKeyViolation,
        lambda target, org: (target.new_model(org), update(target, org, "price_id", NOBODY)),
    ),
    "check on a length": (CheckViolation, lambda target, org: target.new_key(org, name="")),
    "check on a number": (CheckViolation, lambda target, org: usage(target, org, status=600)),
    "check on a word": (CheckViolation, lambda target, org: usage(target, org, cause="boredom")),
    "check of an update": (
        CheckViolation,
        lambda target, org: (target.new_model(org), update(target, org, "version", 0)),
    ),
    "not null": (NotNullViolation, lambda target, org: target.new_model(org, name=None)),
    "not null of an update": (
        NotNullViolation,
        lambda target, org: (target.new_model(org), update(target, org, "provider", None)),
    ),
    "a word for a number": (CheckViolation, lambda target, org: usage(target, org, input_tokens="many")),
    "a fraction for an integer": (CheckViolation, lambda target, org: usage(target, org, input_tokens=3.5)),
    "a number for a boolean": (CheckViolation, lambda target, org: usage(target, org, streamed=2)),
}


def update(target: Target, org: Org, column: str, value: Any) -> int:
    return target.client.execute(org, SET_MODEL.format(column), org.id, value)


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations(target: Target, org: Org, name: str) -> None:
    """Of exactly this class: a caller tells them apart by it."""
    expected, provoke = VIOLATIONS[name]
    with pytest.raises(StoreError) as refusal:
        provoke(target, org)
    assert type(refusal.value) is expected


NO_SQL = "SELECT 1 + AS one"
WRONG: dict[str, tuple[str, int]] = {
    "no SQL": (NO_SQL, 0),
    "no such table": ("SELECT 1 AS one FROM nothing", 0),
    "no such column": ("SELECT nothing AS one FROM models WHERE org_id = ?", 1),
    "no such function": ("SELECT nothing(1) AS one", 0),
    "a value too few": ("SELECT 1 AS one FROM models WHERE org_id = ?1 AND id = ?2", 1),
    "a value too many": ("SELECT 1 AS one FROM models WHERE org_id = ?1", 2),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_sql_is_no_outage(target: Target, org: Org, name: str) -> None:
    """It is a StoreError of that very class: an outage would be answered with 503, and tried again."""
    sql, count = WRONG[name]
    with pytest.raises(StoreError) as refusal:
        target.client.query(org, {"one": int}, sql, *[org.id] * count)
    assert type(refusal.value) is StoreError


def test_two_statements_in_one_text_are_refused(target: Target, org: Org) -> None:
    target.new_model(org)
    with pytest.raises(StoreError):
        target.client.execute(org, "DELETE FROM models WHERE org_id = ?1; DELETE FROM models WHERE org_id = ?1", org.id)
    assert len(models(target, org)) == 1


def test_a_request_goes_on_after_an_error(target: Target, org: Org) -> None:
    """On the same connection: a refused statement, and a refused group, leave no transaction open."""
    one = query(org, {"one": int}, "SELECT 1 AS one")
    again = execute(org, SET_MODEL.format("version"), org.id, 0)
    group = batch(org, model_statement(org, "m"), Statement(SET_MODEL.format("version"), (org.id, 0)))
    answer = target.client.ask(one, group, one, execute(org, NO_SQL), one, again, one)
    assert [type(outcome) for outcome in answer.outcomes] == [list, CheckViolation, list, StoreError, list, int, list]
    assert answer.outcomes[::2] == [[(1,)]] * 4
    assert answer.queries == 7


def test_an_error_tells_what_and_not_whose(target: Target, org: Org) -> None:
    """The message goes into the log: it names the constraint, and no value."""
    hidden = f"n0t-for-the-log {org.id} " * 3
    target.new_key(org, secret_hash=hidden[:64])
    for expected, changes in ((CheckViolation, {"name": hidden}), (UniqueViolation, {"secret_hash": hidden[:64]})):
        with pytest.raises(expected) as refusal:
            target.new_key(org, **changes)
        assert "n0t-for" not in str(refusal.value)
        assert "api_keys" in str(refusal.value) or "length(name)" in str(refusal.value)
