"""Row level security at work: on a real server, with the Worker's own login."""

from __future__ import annotations

import pytest

from tests.contract.support.databases import FreshDatabase, query
from tests.contract.support.rows import rows_everywhere
from tools.postgres_client import connected
from tools.postgres_target import PostgresTarget
from tools.project import ToolError
from tools.seed import Credentials

TABLES = [
    "orgs", "api_keys", "models", "model_prices", "usage_records", "limits", "budgets", "memberships", "roles", "teams",
    "team_members", "invitations", "audit_events", "audit_links", "idempotent_answers",
]  # fmt: skip
PERSONS_TABLES = [
    "users", "sessions", "refresh_tokens", "revoked_tokens", "mail_tokens", "recovery_codes", "logins", "person_events",
    "person_links",
]  # fmt: skip


@pytest.fixture(scope="module")
def two(module_database: FreshDatabase) -> tuple[Credentials, Credentials]:
    """Two organisations with a row in each table."""
    target = PostgresTarget(module_database.owner_url)
    target.up()
    (first, sql), (second, more) = rows_everywhere("one@first.example"), rows_everywhere("two@second.example")
    target.execute(sql)
    target.execute(more)
    return first, second


@pytest.fixture(scope="module")
def migrated(two: tuple[Credentials, Credentials], module_database: FreshDatabase) -> FreshDatabase:
    assert two
    return module_database


def as_worker(database: FreshDatabase, settings: dict[str, str], sql: str) -> list[dict[str, object]]:
    """Run one statement as the Worker would, with the transaction's settings."""
    with connected(database.worker_url) as client:
        client.run("BEGIN")
        for name, value in settings.items():
            client.run(f"SET LOCAL headgate.{name} = '{value}'")
        rows = client.rows(sql)
        client.run("COMMIT")
    return rows


@pytest.mark.parametrize("table", TABLES)
def test_a_forgotten_where_shows_only_ones_own(
    migrated: FreshDatabase, two: tuple[Credentials, Credentials], table: str
) -> None:
    """The second wall: no WHERE at all, and still not a row of the other organisation."""
    column = "id" if table == "orgs" else "org_id"
    sql = f"SELECT DISTINCT {column} AS org FROM {table}"
    assert len(query(migrated.owner_url, sql)) == 2
    for own in two:
        assert as_worker(migrated, {"org_id": own.org_id}, sql) == [{"org": own.org_id}]
    assert as_worker(migrated, {}, sql) == as_worker(migrated, {"org_id": ""}, sql) == []


def person_of(database: FreshDatabase, org: Credentials) -> str:
    [row] = query(database.owner_url, f"SELECT user_id FROM memberships WHERE org_id = '{org.org_id}'")
    return str(row["user_id"])


@pytest.mark.parametrize("table", PERSONS_TABLES)
def test_a_persons_rows_are_shown_to_that_person(
    migrated: FreshDatabase, two: tuple[Credentials, Credentials], table: str
) -> None:
    """To no organisation either; but who is a member has a name and an address there."""
    column = "id" if table == "users" else "user_id"
    sql = f"SELECT {column} AS person FROM {table}"
    assert len(query(migrated.owner_url, sql)) == 2
    for org in two:
        own = [{"person": person_of(migrated, org)}]
        assert as_worker(migrated, {"user_id": own[0]["person"]}, sql) == own
        assert as_worker(migrated, {"org_id": org.org_id}, sql) == (own if table == "users" else [])
    assert as_worker(migrated, {}, sql) == as_worker(migrated, {"user_id": ""}, sql) == []


def test_a_person_sees_where_it_belongs_and_cannot_change_that(
    migrated: FreshDatabase, two: tuple[Credentials, Credentials]
) -> None:
    """The organisation's name and its own role there; not who else is a member."""
    for org in two:
        scope = {"user_id": person_of(migrated, org)}
        assert as_worker(migrated, scope, "SELECT id FROM orgs") == [{"id": org.org_id}]
        assert as_worker(migrated, scope, "SELECT org_id FROM memberships") == [{"org_id": org.org_id}]
        assert as_worker(migrated, scope, "UPDATE memberships SET role = 'owner' RETURNING 1") == []
        assert as_worker(migrated, scope, "UPDATE orgs SET name = 'mine' RETURNING 1") == []
        assert as_worker(migrated, scope, "DELETE FROM memberships RETURNING 1") == []
        for table in ("models", "api_keys", "roles", "teams", "audit_events", "audit_links"):
            assert as_worker(migrated, scope, f"SELECT 1 FROM {table}") == []


def test_an_organisation_cannot_change_its_members_accounts(
    migrated: FreshDatabase, two: tuple[Credentials, Credentials]
) -> None:
    """They are their own."""
    scope = {"org_id": two[0].org_id}
    assert as_worker(migrated, scope, "UPDATE users SET name = 'x' RETURNING 1") == []
    for table in ("users", "audit_events", "audit_links", "person_events", "person_links"):
        with pytest.raises(ToolError, match=f"permission denied for table {table}"):
            as_worker(migrated, scope, f"DELETE FROM {table}")


@pytest.mark.parametrize("table", ["invitations", "sessions", "refresh_tokens", "mail_tokens", "logins"])
def test_a_presented_secret_opens_its_own_row_for_reading(
    migrated: FreshDatabase, two: tuple[Credentials, Credentials], table: str
) -> None:
    """And nothing else; an address opens one account in the same way."""
    [row] = query(migrated.owner_url, f"SELECT id, secret_hash FROM {table} WHERE secret_hash LIKE '{two[1].org_id}%'")
    scope = {"key_hash": row["secret_hash"]}
    assert as_worker(migrated, scope, f"SELECT id FROM {table}") == [{"id": row["id"]}]
    assert as_worker(migrated, {"key_hash": "0" * 64}, f"SELECT id FROM {table}") == []
    for other in ("users", "memberships", "orgs"):
        assert as_worker(migrated, scope, f"SELECT 1 FROM {other}") == []
    email = {"key_hash": two[1].admin_email}
    assert as_worker(migrated, email, "SELECT email FROM users") == [{"email": two[1].admin_email}]
    assert as_worker(migrated, email, f"SELECT 1 FROM {table}") == []


def test_the_tools_own_tables_are_closed(migrated: FreshDatabase, two: tuple[Credentials, Credentials]) -> None:
    with pytest.raises(ToolError, match="permission denied for table headgate_migrations"):
        as_worker(migrated, {"org_id": two[0].org_id}, "SELECT * FROM headgate_migrations")


def test_nothing_is_written_for_others(migrated: FreshDatabase, two: tuple[Credentials, Credentials]) -> None:
    """Neither a new row of theirs, nor one's own given away, nor theirs changed or taken."""
    own, other = two
    scope = {"org_id": own.org_id}
    answer = f"INSERT INTO idempotent_answers VALUES ('{other.org_id}', '{'c' * 64}', '{'d' * 64}', NULL, now(), now())"
    for sql in (answer, f"UPDATE idempotent_answers SET org_id = '{other.org_id}'"):
        with pytest.raises(ToolError, match="row-level security"):
            as_worker(migrated, scope, sql)
    with pytest.raises(ToolError, match="row-level security"):
        as_worker(migrated, {}, answer)
    theirs = f"WHERE org_id = '{other.org_id}' RETURNING org_id"
    assert as_worker(migrated, scope, f"UPDATE models SET provider = 'x' {theirs}") == []
    assert as_worker(migrated, scope, f"DELETE FROM idempotent_answers {theirs}") == []


def test_a_presented_key_opens_its_own_row_for_reading(
    migrated: FreshDatabase, two: tuple[Credentials, Credentials]
) -> None:
    """No organisation is known yet: the hash is the only thing that the caller has shown."""
    server = f"SELECT id, secret_hash FROM api_keys WHERE org_id = '{two[1].org_id}' AND kind = 'server'"
    [key] = query(migrated.owner_url, server)
    scope = {"key_hash": key["secret_hash"]}
    assert as_worker(migrated, scope, "SELECT id FROM api_keys") == [{"id": key["id"]}]
    assert as_worker(migrated, {"key_hash": "0" * 64}, "SELECT id FROM api_keys") == []
    assert as_worker(migrated, scope, "UPDATE api_keys SET name = 'mine' RETURNING id") == []
    assert as_worker(migrated, scope, "SELECT id FROM models") == []


def test_clearing_old_answers_reads_and_deletes_only_those(database: FreshDatabase) -> None:
    """The job over all organisations names its one table; every other stays closed to it."""
    target = PostgresTarget(database.owner_url)
    target.up()
    for email in ("one@first.example", "two@second.example"):
        target.execute(rows_everywhere(email)[1])
    scope = {"every_org": "idempotent_answers"}
    for table in [*TABLES[:-1], *PERSONS_TABLES]:
        assert as_worker(database, scope, f"SELECT 1 FROM {table}") == []
    assert as_worker(database, {"every_org": "models"}, "SELECT 1 FROM models") == []
    assert as_worker(database, scope, "UPDATE idempotent_answers SET answer = NULL RETURNING 1") == []
    assert (
        len(as_worker(database, scope, "DELETE FROM idempotent_answers WHERE created_at < now() RETURNING org_id")) == 2
    )


def test_the_settings_end_with_the_transaction(migrated: FreshDatabase, two: tuple[Credentials, Credentials]) -> None:
    """A pool hands the connection to another request: what was left on it is an empty text, and opens nothing."""
    with connected(migrated.worker_url) as client:
        client.run(f"BEGIN; SET LOCAL headgate.org_id = '{two[0].org_id}'; COMMIT")
        assert client.rows("SELECT current_setting('headgate.org_id', true) AS left") == [{"left": ""}]
        assert client.rows("SELECT id FROM orgs") == []
