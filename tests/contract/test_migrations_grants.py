"""What the migrations leave in the catalogue: policies, grants and roles. On a real server."""

from __future__ import annotations

import pytest

from tests.contract.support.databases import FreshDatabase, query
from tools.postgres_target import PostgresTarget
from tools.project import ToolError

# The least that the application needs. A new table is not listed until the application uses it.
GRANTS = {
    "orgs": {"SELECT", "INSERT", "UPDATE"},
    "api_keys": {"SELECT", "INSERT", "UPDATE"},
    "models": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "model_prices": {"SELECT", "INSERT"},
    "usage_records": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "usage_days": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "usage_marks": {"SELECT", "INSERT", "UPDATE"},
    "usage_objects": {"SELECT", "INSERT", "DELETE"},
    "limits": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "budgets": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "budget_adjustments": {"SELECT", "INSERT", "DELETE"},
    "idempotent_answers": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "users": {"SELECT", "INSERT", "UPDATE"},
    "memberships": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "roles": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "teams": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "team_members": {"SELECT", "INSERT", "DELETE"},
    "invitations": {"SELECT", "INSERT", "UPDATE"},
    "sessions": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "refresh_tokens": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "revoked_tokens": {"SELECT", "INSERT", "DELETE"},
    "mail_tokens": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "recovery_codes": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "logins": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "signing_keys": {"SELECT", "INSERT", "DELETE"},
    # Nobody changes what was logged.
    **{log: {"SELECT", "INSERT"} for log in ("audit_events", "audit_links", "person_events", "person_links")},
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
PERSON_COLUMN = """
SELECT c.relname::text AS name, CASE c.relname WHEN 'users' THEN 'id' ELSE 'user_id' END AS "column",
    c.relrowsecurity AS enabled
  FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND (c.relname = 'users'
    OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'user_id' AND NOT attisdropped)
    AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'org_id' AND NOT attisdropped))
"""
ORG = "current_setting('headgate.org_id'::text, true)"
PERSON = "current_setting('headgate.user_id'::text, true)"
PRESENTED = "current_setting('headgate.key_hash'::text, true)"
EVERY = "current_setting('headgate.every_org'::text, true)"


@pytest.fixture(scope="module")
def migrated(module_database: FreshDatabase) -> FreshDatabase:
    PostgresTarget(module_database.owner_url).up()
    return module_database


def unprotected(url: str, tables: str = TENANT_COLUMN, policy: str = "own_organisation", owner: str = ORG) -> list[str]:
    """Tables that hold somebody's rows and do not hide them, or hide them by another rule."""
    policies = {row["name"]: row for row in query(url, POLICIES) if row["policy"] == policy}
    found = []
    for table in query(url, tables):
        rule = f"({table['column']} = {owner})"
        own = policies.get(table["name"], {})
        if [table["enabled"], *(own.get(part) for part in ("cmd", "qual", "with_check"))] != [True, "ALL", rule, rule]:
            found.append(table["name"])
    return found


def test_every_tenant_table_hides_the_rows_of_others(migrated: FreshDatabase) -> None:
    """A later migration that adds a table with org_id and forgets its policy fails here."""
    assert len(query(migrated.owner_url, TENANT_COLUMN)) >= 14
    assert unprotected(migrated.owner_url) == []


def test_every_persons_table_hides_the_rows_of_others(migrated: FreshDatabase) -> None:
    """A later migration that adds a table with user_id alone and forgets its policy fails here."""
    assert len(query(migrated.owner_url, PERSON_COLUMN)) >= 8
    assert unprotected(migrated.owner_url, PERSON_COLUMN, "own_person", PERSON) == []


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


# Permissive policies add up, so each more is a hole to be looked at: what somebody presents, who is a member where, the
# jobs that clear what has ended, and that must know which organisations there are and whose events are not linked, and
# the deployment's own keys.
MEMBERSHIPS = "( SELECT memberships.{} FROM memberships WHERE (memberships.{} = {}))"
BY_SECRET = ("api_keys", "invitations", "logins", "mail_tokens", "refresh_tokens", "sessions")
CLEARED = ("idempotent_answers", "mail_tokens", "refresh_tokens", "revoked_tokens", "sessions")
OTHERS = {
    *((table, "SELECT", f"(secret_hash = {PRESENTED})", None) for table in BY_SECRET),
    *((table, command, f"({EVERY} = '{table}'::text)", None) for table in CLEARED for command in ("SELECT", "DELETE")),
    *((table, "SELECT", f"({EVERY} = 'audit_events'::text)", None) for table in ("audit_events", "audit_links")),
    *((table, "SELECT", f"({EVERY} = 'person_events'::text)", None) for table in ("person_events", "person_links")),
    ("orgs", "SELECT", f"({EVERY} = 'orgs'::text)", None),
    ("usage_marks", "SELECT", f"({EVERY} = 'usage_marks'::text)", None),
    ("users", "SELECT", f"({EVERY} = 'users'::text)", None),
    ("api_keys", "SELECT", f"((kind = 'browser'::text) AND ({EVERY} = 'api_keys'::text))", None),
    ("api_keys", "SELECT", f"((user_id IS NOT NULL) AND ({EVERY} = 'api_keys'::text))", None),
    ("orgs", "SELECT", f"(id IN {MEMBERSHIPS.format('org_id', 'user_id', PERSON)})", None),
    ("memberships", "SELECT", f"(user_id = {PERSON})", None),
    ("users", "SELECT", f"(id IN {MEMBERSHIPS.format('user_id', 'org_id', ORG)})", None),
    ("users", "SELECT", f"(email = {PRESENTED})", None),
    ("signing_keys", "ALL", "true", "true"),
}


def test_other_policies_are_these_exceptions(migrated: FreshDatabase) -> None:
    """And no more; none of them lets anybody write another's row."""
    own = {("own_organisation", "ALL"), ("own_person", "ALL")}
    others = [row for row in query(migrated.owner_url, POLICIES) if (row["policy"], row["cmd"]) not in own]
    found = [(row["name"], row["cmd"], " ".join(row["qual"].split()), row["with_check"]) for row in others]
    assert len(found) == len(OTHERS)
    assert set(found) == OTHERS


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
