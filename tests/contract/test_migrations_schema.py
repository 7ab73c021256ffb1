"""Both dialects make the same tables: on the real engines, table by table."""

from __future__ import annotations

import dataclasses

import pytest

from tests.contract.support import schema_d1, schema_postgres
from tests.contract.support.databases import FreshDatabase, query
from tests.contract.support.schema import Table
from tools.d1_target import D1Target
from tools.postgres_target import PostgresTarget
from tools.state import State

NAMES = [
    "api_keys", "budgets", "idempotent_answers", "limits", "memberships", "model_prices", "models", "orgs",
    "usage_records", "users", "roles", "teams", "team_members", "invitations", "sessions", "refresh_tokens",
    "revoked_tokens", "mail_tokens", "recovery_codes", "logins", "audit_events", "audit_links", "person_events",
    "person_links", "signing_keys",
]  # fmt: skip


@pytest.fixture(scope="module")
def on_d1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Table]:
    state = State(tmp_path_factory.mktemp("d1"))
    D1Target.local(state).up()
    return schema_d1.read(state)


@pytest.fixture(scope="module")
def on_postgres(module_database: FreshDatabase) -> dict[str, Table]:
    PostgresTarget(module_database.owner_url).up()
    return schema_postgres.read(module_database.owner_url)


def test_both_have_the_same_tables(on_d1: dict[str, Table], on_postgres: dict[str, Table]) -> None:
    assert sorted(on_d1) == sorted(on_postgres)
    assert set(NAMES) <= set(on_d1), "the tests below would miss a table that is gone"


@pytest.mark.parametrize("part", [field.name for field in dataclasses.fields(Table)])
def test_each_table_is_the_same_on_both(part: str, on_d1: dict[str, Table], on_postgres: dict[str, Table]) -> None:
    """Columns in order with their types, NULLs and defaults; keys with their actions; indexes; CHECKs."""
    d1 = {name: getattr(table, part) for name, table in on_d1.items()}
    assert d1 == {name: getattr(table, part) for name, table in on_postgres.items()}
    assert any(d1.values()), f"nothing was read about {part}"


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("columns", "ALTER TABLE models ALTER provider DROP NOT NULL"),
        ("columns", "ALTER TABLE models ALTER version SET DEFAULT 2"),
        ("columns", "ALTER TABLE models ALTER version TYPE integer"),
        ("columns", 'ALTER TABLE models ALTER provider TYPE text COLLATE "default"'),
        ("primary_key", "ALTER TABLE models DROP CONSTRAINT models_pkey"),
        ("unique", "ALTER TABLE models ADD UNIQUE (provider)"),
        ("foreign_keys", "ALTER TABLE models DROP CONSTRAINT models_price_id_fkey"),
        ("indexes", "CREATE INDEX extra ON models (provider) WHERE version > 1"),
        ("checks", "ALTER TABLE models ADD CHECK (version < 9)"),
    ],
)
def test_a_difference_would_be_noticed(
    part: str, change: str, database: FreshDatabase, on_d1: dict[str, Table]
) -> None:
    """The comparison looks at each of these."""
    PostgresTarget(database.owner_url).up()
    assert schema_postgres.read(database.owner_url)["models"] == on_d1["models"]
    query(database.owner_url, change)
    assert getattr(schema_postgres.read(database.owner_url)["models"], part) != getattr(on_d1["models"], part)
