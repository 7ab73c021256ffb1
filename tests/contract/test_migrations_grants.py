"""What the migrations leave in the catalogue: policies, grants and roles. On a real server."""

from __future__ import annotations

import pytest

from tests.contract.support.databases import FreshDatabase, query
from tools.postgres_target import PostgresTarget
from tools.project import ToolError

# The least that the application needs. A new table is not listed until the application uses it.
GRANTS = {
    "orgs": {"SELECT", "UPDATE"},
    "api_keys": {"SELECT", "INSERT", "UPDATE"},
    "models": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "model_prices": {"SELECT", "INSERT"},
    "usage_records": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "usage_days": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "usage_marks": {"SELECT", "INSERT", "UPDATE"},
    "limits": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "budgets": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "budget_adjustments": {"SELECT", "INSERT", "DELETE"},
    "idempotent_answers": {"SELECT", "INSERT", "UPDATE", "DELETE"},
}
TENANT_COLUMN = """
SELECT c.relname::text AS name, CASE c.relname WHEN 'orgs' THEN 'id' ELSE 'org_id' END AS "column",
    c.relrowsecurity AS enabled
  FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND (c.relname = 'orgs'
    OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'org_id' AND NOT attisdropped))
"""
POLICIES = """
SELECT tablename::text AS name, policyname::text AS policy, permissive, roles::text AS roles, cmd, qual, with_check
  FROM pg_policies WHERE schemaname = 'public'
"""
ORG = "current_setting('headgate.org_id'::text, true)"


@pytest.fixture(scope="module")
def migrated(module_database: FreshDatabase) -> FreshDatabase:
    PostgresTarget(module_database.owner_url).up()
    return module_database


def unprotected(url: str) -> list[str]:
    """Tables that hold an organisation's rows and do not hide them, or hide them by another rule."""
    policies = {row["name"]: row for row in query(url, POLICIES) if row["policy"] == "own_organisation"}
    found = []
    for table in query(url, TENANT_COLUMN):
        rule = f"({table['column']} = {ORG})"
        policy = policies.get(table["name"], {})
        if [table["enabled"], *(policy.get(part) for part in ("cmd", "qual", "with_check"))] != [
            True,
            "ALL",
            rule,
            rule,
        ]:
            found.append(table["name"])
    return found


def test_every_tenant_table_hides_the_rows_of_others(migrated: FreshDatabase) -> None:
    """A later migration that adds a table with org_id and forgets its policy fails here."""
    assert len(query(migrated.owner_url, TENANT_COLUMN)) >= 9
    assert unprotected(migrated.owner_url) == []


@pytest.mark.parametrize(
    "forgotten",
    [
        "",
        "ALTER TABLE things ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY own_organisation ON things USING (org_id = current_setting('headgate.org_id', true))",
        "ALTER TABLE things ENABLE ROW LEVEL SECURITY; CREATE POLICY own_organisation ON things USING (true)",
    ],
)
def test_a_forgotten_policy_would_be_noticed(database: FreshDatabase, forgotten: str) -> None:
    query(database.owner_url, f"CREATE TABLE things (org_id text); {forgotten}")
    assert unprotected(database.owner_url) == ["things"]


def test_other_policies_are_the_three_exceptions(migrated: FreshDatabase) -> None:
    """Permissive policies add up, so each more is a hole to be looked at: a presented key, clearing old
    answers, and the daily work, which must know which organisations there are.
    """
    others = [row for row in query(migrated.owner_url, POLICIES) if row["policy"] != "own_organisation"]
    clearing = "(current_setting('headgate.every_org'::text, true) = 'idempotent_answers'::text)"
    assert sorted((row["name"], row["cmd"], row["qual"]) for row in others) == [
        ("api_keys", "SELECT", "(secret_hash = current_setting('headgate.key_hash'::text, true))"),
        ("idempotent_answers", "DELETE", clearing),
        ("idempotent_answers", "SELECT", clearing),
        ("orgs", "SELECT", "(current_setting('headgate.every_org'::text, true) = 'orgs'::text)"),
    ]


def test_grants_are_the_least(migrated: FreshDatabase) -> None:
    """Nothing more for the application, and nothing at all for everybody."""
    granted = query(
        migrated.owner_url,
        "SELECT relname::text AS name, a.grantee::regrole::text AS role, a.privilege_type AS may, a.is_grantable AS on"
        " FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'public'::regnamespace"
        " AND a.grantee <> c.relowner",
    )
    assert {(row["name"], row["role"], row["may"]) for row in granted} == {
        (table, "headgate_app", privilege) for table, privileges in GRANTS.items() for privilege in privileges
    }
    assert not any(row["on"] for row in granted)
    columns = "SELECT attname FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid WHERE attacl IS NOT NULL"
    assert query(migrated.owner_url, f"{columns} AND c.relnamespace = 'public'::regnamespace") == []


def test_the_applications_roles_have_no_power(migrated: FreshDatabase) -> None:
    """Neither the group nor the Worker's login owns anything, bypasses policies, or may become one who does."""
    roles = query(
        migrated.superuser_url,
        "SELECT rolname::text AS name, rolcanlogin AS login,"
        " rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication AS power,"
        " (SELECT count(*) FROM pg_shdepend WHERE refobjid = r.oid AND deptype = 'o') AS owned,"
        " ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid) AS groups"
        " FROM pg_roles r WHERE rolname IN ('headgate_app', 'headgate_worker') ORDER BY name",
    )
    assert roles == [
        {"name": "headgate_app", "power": False, "login": False, "owned": 0, "groups": []},
        {"name": "headgate_worker", "power": False, "login": True, "owned": 0, "groups": ["headgate_app"]},
    ]
    for sql in (
        "ALTER TABLE models DISABLE ROW LEVEL SECURITY",
        "CREATE TABLE mine (id text)",
        "SET ROLE headgate_owner",
    ):
        with pytest.raises(ToolError, match=r"must be owner|permission denied"):
            query(migrated.worker_url, sql)


def test_the_owner_is_no_superuser(migrated: FreshDatabase) -> None:
    """Migrations ask for no more than a role that a hosted server gives."""
    [owner] = query(
        migrated.owner_url,
        "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = (SELECT tableowner FROM pg_tables"
        " WHERE tablename = 'orgs')",
    )
    assert owner == {"rolsuper": False, "rolbypassrls": False}


def test_the_group_is_made_when_it_is_missing(database: FreshDatabase) -> None:
    """On a server that has never had a Headgate: by the owner itself, without a login, and it is not fatal twice."""
    query(database.superuser_url, "ALTER ROLE headgate_app RENAME TO headgate_app_of_before")
    target = PostgresTarget(database.owner_url)
    try:
        applied = target.up()
        [made] = query(database.owner_url, "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'headgate_app'")
        assert made == {"rolcanlogin": False}
        target.down(len(applied))
        assert target.up() == applied
    finally:
        query(database.superuser_url, "DROP OWNED BY headgate_app; DROP ROLE headgate_app")
        query(database.superuser_url, "ALTER ROLE headgate_app_of_before RENAME TO headgate_app")


def test_a_group_that_bypasses_policies_is_refused(database: FreshDatabase) -> None:
    """Every policy would be worth nothing."""
    query(database.superuser_url, "ALTER ROLE headgate_app BYPASSRLS")
    try:
        with pytest.raises(ToolError, match="may bypass row level security"):
            PostgresTarget(database.owner_url).up()
    finally:
        query(database.superuser_url, "ALTER ROLE headgate_app NOBYPASSRLS")
    assert PostgresTarget(database.owner_url).up()
