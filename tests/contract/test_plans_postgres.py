"""How PostgreSQL goes about each query: as the Worker's role, under its policies, on tables that have grown."""

from __future__ import annotations

import re

import pytest

from tests.contract.support.databases import fresh_database
from tests.contract.support.store_plans import Explained, explain_everything, statements_on_d1
from tools.postgres import Postgres
from tools.postgres_target import PostgresTarget

GROWING = {
    "usage_records", "api_keys", "models", "model_prices", "idempotent_answers", "orgs", "users", "memberships",
    "limits", "budgets", "usage_days", "usage_marks", "usage_objects",
}  # fmt: skip
STATEMENTS = statements_on_d1()


def outline(sql: str) -> list[str]:
    """The verb and the tables of a statement: what both dialects write alike."""
    return [sql.split(maxsplit=1)[0], *re.findall(r"(?:FROM|JOIN|INTO|UPDATE) ([a-z_]+)(?= )", sql)]


@pytest.fixture(scope="module")
def plans(postgres: Postgres) -> list[Explained]:
    with fresh_database(postgres) as database:
        PostgresTarget(database.owner_url).up()
        return explain_everything(database)


@pytest.fixture
def plan(plans: list[Explained], request: pytest.FixtureRequest) -> Explained:
    """The plan of the statement that the test's parameter counts."""
    at: int = request.param
    assert outline(plans[at].sql) == outline(STATEMENTS[at])
    return plans[at]


def each(*parts: str) -> pytest.MarkDecorator:
    """A test for each statement that has all these parts in its text."""
    chosen = [at for at, sql in enumerate(STATEMENTS) if all(part in sql for part in parts)]
    assert chosen
    return pytest.mark.parametrize("plan", chosen, indirect=True, ids=lambda at: f"{at}-{STATEMENTS[at][:60]}")


def test_every_statement_ran_on_both(plans: list[Explained]) -> None:
    """PostgreSQL got as many as D1, in the same order."""
    assert [outline(plan.sql) for plan in plans] == [outline(sql) for sql in STATEMENTS]
    assert len(plans) > 30


@each()
def test_no_statement_reads_a_growing_table_from_end_to_end(plan: Explained) -> None:
    """Neither the table itself, nor an index: each is searched for one value, or by a job for what is old or next."""
    behind = {
        "DELETE FROM idempotent_answers WHERE created_at <": " < ",
        "DELETE FROM mail_tokens WHERE expires_at <": " < ",
        "DELETE FROM sessions WHERE expires_at <": " < ",
        "DELETE FROM refresh_tokens WHERE expires_at <": " < ",
        "DELETE FROM revoked_tokens WHERE expires_at <": " < ",
        "SELECT id FROM orgs LIMIT 2": "",  # the store's self test, which must see at most one
        "SELECT id FROM orgs WHERE id >": " > ",
        "SELECT id FROM users WHERE id >": " > ",
        "SELECT org_id, unsummed_at AS at FROM usage_marks WHERE ": " < ",
        "SELECT org_id, oldest_at AS at FROM usage_marks WHERE ": " < ",
        # An operator who looks for a part of a name: page by page, by the primary key.
        "SELECT id, name, suspended_at, created_at FROM orgs WHERE id >": " > ",
        "SELECT id, email, name, suspended_at, deleted_at, created_at FROM users WHERE id >": " > ",
        "SELECT audit_events.org_id AS owner FROM": "(id >= ",
        "SELECT person_events.user_id AS owner FROM": "(id >= ",
        "SELECT DISTINCT org_id FROM api_keys WHERE kind = 'browser' AND expires_at >=": "(expires_at >= ",
    }
    wanted = next((sign for start, sign in behind.items() if plan.sql.startswith(start)), " = ")
    assert not plan.read_whole & GROWING, str(plan)
    # A policy's own look at who is a member is a search for one value, whatever the statement is.
    found = plan.indexes.values()
    assert all(wanted in condition or " = " in condition for condition in found), str(plan)


@each("FROM usage_records", "started_at >= ")
def test_usage_is_read_by_organisation_and_time(plan: Explained) -> None:
    """Not the organisation's whole history: the index is searched for the time too."""
    [condition] = [found for name, found in plan.indexes.items() if name.startswith("usage_records")]
    assert "org_id = " in condition, str(plan)
    assert "started_at >= " in condition, str(plan)
    assert "started_at < " in condition or "(SELECT min(started_at)" in plan.sql, str(plan)


@each("single_records", "key_id = ?5")
def test_a_report_on_one_key_uses_the_keys_own_index(plan: Explained) -> None:
    """An organisation with thousands of keys and a report on one of them, on every page."""
    [index] = [name for name in plan.indexes if name.startswith("usage_records")]
    assert index == "usage_records_by_key", str(plan)


@each("ORDER BY id")
def test_pages_of_keys_and_rules_need_no_sorting(plan: Explained) -> None:
    """The index gives them in their order."""
    assert not plan.sorts, str(plan)


@each("ORDER BY models.id")
def test_pages_of_models_need_no_sorting(plan: Explained) -> None:
    assert not plan.sorts, str(plan)


@each("(started_at, id) ", "LIMIT")
def test_a_cursor_of_the_ledger_bounds_the_index(plan: Explained) -> None:
    """A page far back costs what the first one does, and an export as much as it has rows."""
    [condition] = [found for name, found in plan.indexes.items() if name.startswith("usage_records")]
    pair, of_one_key = r"ROW\(started_at, \(?id\)?\S*\) [<>]", "key_id = "
    assert re.search(rf"{pair}|{of_one_key}", condition), str(plan)


@each("FROM audit_events", "LIMIT")
def test_a_cursor_of_the_audit_log_bounds_the_index(plan: Explained) -> None:
    """So does that of each of its filters."""
    [condition] = [found for name, found in plan.indexes.items() if name.startswith("audit_events")]
    bounded = r"id >= " if "count(*)" in plan.sql else r"seq [<>] "
    assert re.search(bounded, condition) or plan.sql.endswith("ORDER BY seq DESC LIMIT 1"), str(plan)


@each("ORDER BY started_at DESC, id DESC")
def test_pages_of_records_sort_only_what_is_of_one_time(plan: Explained) -> None:
    """The index is by time; records of the very same time are put in order as they come."""
    assert plan.sorts <= {"Incremental Sort"}, str(plan)
