"""The wall on D1 around people: what a person may reach, and what an organisation may reach of people."""

from __future__ import annotations

import pytest

from lib.store.tenant import EveryOrg, Joining, Member, Org, Person
from tests.unit.store.test_tenancy import refusal
from tests.unit.store.test_tenancy_leaks import PERSONS_VALUES, leak
from tests.unit.store.two_orgs import OWN, TwoPersons, user

OPEN = [
    "SELECT * FROM sessions WHERE user_id = ?1",
    "SELECT * FROM users WHERE id = ?1",
    "SELECT s.id FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.user_id = ?1",
    "SELECT role FROM memberships WHERE user_id = ?1",
    "SELECT m.role, o.name FROM memberships m JOIN orgs o ON o.id = m.org_id WHERE m.user_id = ?1",
    "UPDATE users SET name = 'x' WHERE id = ?1",
    "UPDATE sessions SET user_agent = 'x' WHERE user_id = ?1 AND id <> ''",
    "DELETE FROM recovery_codes WHERE user_id = ?1",
]

CLOSED = [
    "SELECT * FROM sessions",
    "SELECT * FROM sessions WHERE user_id = ?2",
    "SELECT * FROM sessions WHERE user_id = ?1 OR 1",
    "SELECT * FROM sessions s JOIN users u ON u.id = ?1",
    "SELECT * FROM users WHERE email = ?1",
    "SELECT * FROM memberships WHERE org_id = ?1",
    "SELECT * FROM orgs",
    "SELECT * FROM orgs WHERE id = ?1",
    "SELECT * FROM orgs JOIN memberships m ON m.user_id = ?1",
    "SELECT * FROM orgs o JOIN memberships m ON m.user_id = ?1 WHERE o.id = m.user_id",
    "SELECT * FROM orgs o LEFT JOIN memberships m ON m.user_id = ?1 AND o.id = m.org_id",
    "SELECT * FROM memberships m JOIN models ON models.org_id = m.org_id WHERE m.user_id = ?1",
    "SELECT * FROM memberships m JOIN users u ON u.id <> m.user_id WHERE m.user_id = ?1",
    "SELECT * FROM api_keys WHERE user_id = ?1",
    "SELECT * FROM team_members WHERE user_id = ?1",
    "UPDATE memberships SET role = 'owner' WHERE user_id = ?1",
    "DELETE FROM memberships WHERE user_id = ?1",
    "DELETE FROM sessions WHERE user_id IN (SELECT user_id FROM memberships WHERE user_id = ?1)",
    "UPDATE orgs SET name = 'x' FROM memberships m WHERE m.user_id = ?1 AND orgs.id = m.org_id",
    "UPDATE sessions SET user_id = ?2 WHERE user_id = ?1",
    "UPDATE users SET name = 'x'",
    "INSERT INTO memberships (user_id, org_id, role, created_at, updated_at) VALUES (?1, ?2, 'owner', 't', 't')",
    "INSERT INTO recovery_codes (user_id, code_hash, created_at, updated_at) VALUES (?2, ?1, 't', 't')",
    "INSERT INTO orgs (id, name, created_at, updated_at) VALUES (?1, 'x', 't', 't')",
]

MEMBERS = "memberships m JOIN users u ON u.id = m.user_id"
STRANGERS = [
    "SELECT * FROM users",
    "SELECT * FROM users WHERE id = ?1",
    "SELECT * FROM users, memberships WHERE memberships.org_id = ?1",
    "SELECT * FROM users JOIN memberships ON memberships.org_id = ?1",
    "SELECT * FROM users u JOIN memberships m ON m.org_id = ?1 AND (u.id = m.user_id OR 1)",
    "SELECT * FROM users u JOIN memberships m ON m.org_id = ?1 WHERE u.id <> m.user_id",
    "SELECT * FROM users u JOIN memberships m ON m.org_id = ?1 WHERE u.name = m.user_id",
    "SELECT * FROM users u JOIN memberships m ON m.org_id = ?1 WHERE u.id = m.org_id",
    "SELECT * FROM users u LEFT JOIN memberships m ON m.org_id = ?1 AND u.id = m.user_id",
    f"SELECT * FROM {MEMBERS}",
    f"SELECT * FROM {MEMBERS} WHERE m.user_id = ?1",
    "SELECT * FROM team_members t JOIN users u ON u.id = t.user_id WHERE t.org_id = ?1",
    "SELECT * FROM models m, users AS memberships, users u WHERE m.org_id = ?1 AND u.id = memberships.user_id",
    "SELECT * FROM users WHERE id IN (SELECT user_id FROM memberships WHERE org_id = ?1)",
    f"SELECT * FROM {MEMBERS} JOIN sessions s ON s.user_id = u.id WHERE m.org_id = ?1",
    "SELECT * FROM sessions WHERE user_id = ?1",
    "SELECT * FROM memberships m JOIN sessions s ON s.user_id = m.user_id WHERE m.org_id = ?1",
    "SELECT (SELECT count(*) FROM logins) FROM models WHERE org_id = ?1",
    "UPDATE users SET name = 'x' FROM memberships m WHERE m.org_id = ?1 AND users.id = m.user_id",
    "DELETE FROM users WHERE id = ?1",
    "DELETE FROM sessions WHERE user_id IN (SELECT user_id FROM memberships WHERE org_id = ?1)",
    "INSERT INTO users (id, email, name, created_at, updated_at) VALUES (?1, 'e', 'n', 't', 't')",
    "INSERT INTO sessions (id, user_id, secret_hash) VALUES (?2, ?1, 'x')",
]


@pytest.mark.parametrize("sql", OPEN)
def test_a_persons_own_rows_are_open_to_it(sql: str) -> None:
    """And where it is a member; each of these really runs."""
    assert refusal(Person(user(0)), sql, PERSONS_VALUES) is None
    grounds = TwoPersons(crowded=False), TwoPersons(crowded=True)
    try:
        assert grounds[0].run(sql, PERSONS_VALUES).error is None
        assert leak(grounds, sql, PERSONS_VALUES) is None
    finally:
        for ground in grounds:
            ground.close()


@pytest.mark.parametrize("sql", CLOSED)
def test_a_persons_statement_reaches_nobody_else(sql: str) -> None:
    """Neither another person, nor an organisation's rows; and where it belongs is not for itself to write."""
    assert refusal(Person(user(0)), sql, PERSONS_VALUES) is not None


@pytest.mark.parametrize("sql", STRANGERS)
def test_an_organisation_reads_its_members_accounts_and_no_more_of_people(sql: str) -> None:
    """Joined to a membership of its own; never a session or a token, and it writes nothing of a person's."""
    assert refusal(Org(OWN), sql) is not None


@pytest.mark.parametrize("table", ["sessions", "refresh_tokens", "revoked_tokens", "mail_tokens"])
def test_a_job_clears_what_has_ended_of_all_people(table: str) -> None:
    """Of this table, and it writes nothing."""
    assert refusal(EveryOrg(table), f"DELETE FROM {table} WHERE expires_at < ?") is None
    assert refusal(EveryOrg(table), f"UPDATE {table} SET expires_at = ?") is not None
    assert refusal(EveryOrg(table), "DELETE FROM users") is not None
    assert refusal(EveryOrg("users"), "DELETE FROM users") is not None
    assert refusal(EveryOrg("users"), "UPDATE users SET name = ?") is not None
    assert refusal(EveryOrg("users"), "SELECT id FROM users WHERE id > ?") is None
    assert refusal(EveryOrg("users"), "SELECT id FROM users JOIN sessions ON user_id = users.id") is not None


AS_MEMBER = [
    "SELECT * FROM users u LEFT JOIN memberships m ON m.org_id = ?1 AND m.user_id = u.id WHERE u.id = ?2",
    "SELECT k.id FROM memberships m JOIN api_keys k ON k.org_id = m.org_id WHERE m.org_id = ?1 AND m.user_id = ?2",
    "SELECT (SELECT count(*) FROM sessions WHERE user_id = ?2) FROM roles WHERE org_id = ?1",
]
AS_NO_MEMBER = [
    "SELECT * FROM users u LEFT JOIN memberships m ON m.org_id = ?1 AND m.user_id = u.id",
    "SELECT * FROM memberships WHERE org_id = ?1",
    "SELECT * FROM memberships WHERE user_id = ?2",
    "SELECT * FROM memberships WHERE org_id = ?2 AND user_id = ?1",
    "SELECT * FROM sessions WHERE user_id = ?1",
    "SELECT * FROM api_keys WHERE user_id = ?2",
    "SELECT * FROM users u JOIN memberships m ON m.org_id = ?1 AND m.user_id = ?2 WHERE u.id = m.user_id OR 1",
    "SELECT * FROM sessions s, roles r WHERE s.user_id = ?2",
    "UPDATE sessions SET user_agent = 'x' WHERE user_id = ?2",
    "DELETE FROM api_keys WHERE org_id = ?1",
]


@pytest.mark.parametrize("sql", AS_MEMBER)
def test_a_member_reads_its_own_rows_and_its_organisations(sql: str) -> None:
    """In one statement: all that says who somebody is there."""
    assert refusal(Member(OWN, user(0)), sql, (OWN, user(0))) is None
    assert refusal(Member(OWN, user(1)), sql, (OWN, user(0))) is not None
    assert refusal(Member(user(0), user(0)), sql, (OWN, user(0))) is not None


@pytest.mark.parametrize("sql", AS_NO_MEMBER)
def test_a_member_reaches_no_fellow_members_and_writes_nothing(sql: str) -> None:
    """Each table is held by whose its rows are, a membership by both."""
    assert refusal(Member(OWN, user(0)), sql, (OWN, user(0))) is not None


ROLE = "INSERT INTO roles (id, org_id, name, permissions, created_at, updated_at)"
MEMBERSHIP = "INSERT INTO memberships (org_id, user_id, role, created_at, updated_at)"
JOINS = [
    "SELECT count(*) FROM memberships WHERE user_id = ?2",
    "SELECT m.role FROM memberships m WHERE m.user_id = ?2 AND m.role <> 'owner'",
    "SELECT * FROM models WHERE org_id = ?1 AND (SELECT count(*) FROM memberships WHERE ?2 = user_id) < 100",
    f"{ROLE} SELECT ?3, ?1, 'n', '[]', 't', 't' WHERE (SELECT count(*) FROM memberships m WHERE m.user_id = ?2) < 5",
    "DELETE FROM memberships WHERE org_id = ?1 AND (SELECT count(*) FROM memberships m WHERE m.user_id = ?2) > 100",
]
JOINS_NOTHING = [
    "SELECT count(*) FROM memberships",
    "SELECT count(*) FROM memberships WHERE user_id = ?3",
    "SELECT count(*) FROM memberships WHERE user_id = ?1",
    "SELECT count(*) FROM memberships WHERE org_id = ?2",
    "SELECT count(*) FROM memberships WHERE user_id = ?2 OR 1",
    "SELECT count(*) FROM memberships WHERE user_id <> ?2",
    "SELECT count(*) FROM memberships WHERE user_id = user_id",
    "SELECT count(*) FROM memberships m, memberships n WHERE m.user_id = ?2",
    "SELECT o.name FROM memberships m JOIN orgs o ON o.id = m.org_id WHERE m.user_id = ?2",
    "SELECT u.name FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.user_id = ?2",
    "SELECT * FROM models JOIN memberships m ON m.org_id = models.org_id WHERE m.user_id = ?2",
    "SELECT * FROM models WHERE org_id IN (SELECT org_id FROM memberships WHERE user_id = ?2)",
    "SELECT * FROM users WHERE id = ?2",
    "SELECT * FROM sessions WHERE user_id = ?2",
    "SELECT * FROM api_keys WHERE user_id = ?2",
    "SELECT * FROM team_members WHERE user_id = ?2",
    "UPDATE memberships SET role = 'owner' WHERE user_id = ?2",
    "UPDATE memberships SET role = 'owner' WHERE org_id IN (SELECT org_id FROM memberships WHERE user_id = ?2)",
    "DELETE FROM memberships WHERE user_id = ?2",
    f"{MEMBERSHIP} SELECT org_id, ?3, 'owner', 't', 't' FROM memberships WHERE user_id = ?2",
    f"{MEMBERSHIP} VALUES (?3, ?2, 'owner', 't', 't')",
    f"{MEMBERSHIP} SELECT m.org_id, m.user_id, 'owner', 't', 't' FROM memberships m WHERE m.user_id = ?2",
]
JOINING_VALUES = (OWN, user(0), user(1))


@pytest.mark.parametrize("sql", JOINS)
def test_who_joins_is_counted_where_it_belongs(sql: str) -> None:
    """In a statement on the organisation that it joins; each of these really runs."""
    assert refusal(Joining(OWN, user(0)), sql, JOINING_VALUES) is None
    assert refusal(Joining(OWN, user(1)), sql, JOINING_VALUES) is not None
    assert refusal(Org(OWN), sql, JOINING_VALUES) is not None
    ground = TwoPersons(crowded=True)
    try:
        assert ground.run(sql, JOINING_VALUES).error is None
    finally:
        ground.close()


@pytest.mark.parametrize("sql", JOINS_NOTHING)
def test_who_joins_reaches_nothing_else(sql: str) -> None:
    """No other person's memberships, nothing else of the organisations that the person is in, and it writes none."""
    assert refusal(Joining(OWN, user(0)), sql, JOINING_VALUES) is not None
