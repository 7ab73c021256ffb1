"""What the Worker's own login may not do, whatever SQL it sends: PostgreSQL only."""

from __future__ import annotations

import pytest

from lib.store.database import Statement, StoreError, TenantViolation
from lib.store.tenant import Org
from tests.contract.support.databases import FreshDatabase, query
from tests.contract.support.sessions import WORKER
from tests.contract.support.store_client import batch, execute
from tests.contract.support.store_rows import models
from tests.contract.support.store_targets import Target

FORBIDDEN = [
    "CREATE TABLE mine (id text)",
    "CREATE TABLE public.mine AS SELECT 1 AS id",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE POLICY mine ON models USING (true)",
    "CREATE INDEX mine ON models (provider)",
    "CREATE ROLE mine",
    "ALTER TABLE models DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE models NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE models ADD COLUMN mine text",
    "ALTER TABLE models OWNER TO headgate_worker",
    "ALTER POLICY own_organisation ON models USING (true)",
    "ALTER ROLE headgate_worker BYPASSRLS",
    "ALTER ROLE headgate_worker SUPERUSER",
    "ALTER ROLE headgate_app LOGIN",
    "DROP TABLE models",
    "DROP POLICY own_organisation ON models",
    "TRUNCATE models",
    "GRANT headgate_owner TO headgate_worker",
    "SET ROLE headgate_owner",
    "SET SESSION AUTHORIZATION headgate_owner",
    "SELECT * FROM headgate_migrations",
    "SELECT rolpassword FROM pg_authid",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT lo_import('/etc/hostname')",
    "COPY models TO PROGRAM 'cat'",
    "COPY models TO '/tmp/models'",
    "INSERT INTO orgs (id, name, created_at, updated_at) VALUES ('x', 'x', now(), now())",
    "DELETE FROM orgs",
    "DELETE FROM api_keys",
    "UPDATE model_prices SET input_nano_usd_per_token = 0",
    "DELETE FROM model_prices",
    "DELETE FROM users",
    "UPDATE audit_events SET action = 'x'",
    "DELETE FROM audit_events",
    "UPDATE person_events SET action = 'x'",
    "DELETE FROM person_events",
    "UPDATE audit_links SET seq = 9",
    "DELETE FROM audit_links",
    "UPDATE person_links SET seq = 9",
    "DELETE FROM person_links",
    "UPDATE signing_keys SET algorithm = 'ES256'",
]


@pytest.fixture
def org(postgres_target: Target) -> Org:
    """An organisation with a model."""
    made = postgres_target.new_org()
    postgres_target.new_model(made)
    return made


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_forbidden(postgres_target: Target, org: Org, sql: str) -> None:
    with pytest.raises(TenantViolation, match=r"^42501 "):
        postgres_target.client.execute(org, sql)


def test_some_would_be_granted_with_a_warning(postgres_target: Target, store_database: FreshDatabase, org: Org) -> None:
    """PostgreSQL only warns of a grant without the right to it; nothing is granted all the same."""
    for sql in ("GRANT ALL ON models TO PUBLIC", "REVOKE ALL ON models FROM headgate_app"):
        [outcome] = postgres_target.client.ask(execute(org, sql)).outcomes
        assert outcome == 0 or type(outcome) is TenantViolation
    rows = query(
        store_database.superuser_url,
        "SELECT grantee::text, privilege_type::text FROM information_schema.role_table_grants"
        " WHERE table_name = 'models' AND grantee <> 'headgate_owner' ORDER BY 2",
    )
    assert [tuple(row.values()) for row in rows] == [
        ("headgate_app", right) for right in ("DELETE", "INSERT", "SELECT", "UPDATE")
    ]


def test_row_security_is_not_to_be_switched_off(postgres_target: Target, org: Org) -> None:
    """The setting exists; with it a statement that policies would filter is refused, not let through."""
    group = batch(org, Statement("SET LOCAL row_security = off"), Statement("UPDATE models SET provider = 'x'"))
    [outcome] = postgres_target.client.ask(group).outcomes
    assert type(outcome) is TenantViolation
    assert models(postgres_target, org) == [("m", "sim", 1)]


def test_the_role(store_database: FreshDatabase) -> None:
    """Nothing that opens doors, nothing that it owns, and one role that it is in."""
    [role] = query(
        store_database.superuser_url,
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,"
        " (SELECT count(*) FROM pg_class WHERE relowner = r.oid) AS owned,"
        " ARRAY(SELECT pg_get_userbyid(roleid)::text FROM pg_auth_members WHERE member = r.oid) AS member_of"
        f" FROM pg_roles r WHERE rolname = '{WORKER}'",
    )
    member_of = role.pop("member_of")
    assert member_of == ["headgate_app"]
    assert set(role.values()) == {False}  # 0 owned, too


def test_the_scope_of_another_is_not_taken_by_sql(postgres_target: Target, org: Org) -> None:
    """A group is one transaction of one scope: a statement may change the setting only by calling set_config itself,
    which no statement of ours does. What it changes ends with the transaction."""
    other = postgres_target.new_org()
    taken = Statement("SELECT set_config('headgate.org_id', ?, true)", (other.id,))
    outcomes = postgres_target.client.ask(
        batch(org, taken), execute(org, "UPDATE models SET provider = 'mine'")
    ).outcomes
    assert not isinstance(outcomes[0], StoreError)
    assert outcomes[1] == 1
    assert models(postgres_target, org) == [("m", "mine", 1)]
