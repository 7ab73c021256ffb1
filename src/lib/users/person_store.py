"""Who a person is, where it signs in: its account, its membership and the key that its calls are counted on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lib.store.database import Database, Statement
from lib.store.tenant import Member, Org, Person

MOST_ORGS = 1_000
_PERSON = (
    "users.id AS user_id, users.signed_out_at, users.deleted_at, users.suspended_at, users.totp_confirmed_at,"
    " memberships.role,"
    " (SELECT suspended_at FROM orgs WHERE orgs.id = ?2) AS org_suspended_at,"
    " memberships.custom_role_id,"
    " (SELECT permissions FROM roles WHERE roles.org_id = ?2 AND roles.id = memberships.custom_role_id) AS permissions,"
    " (SELECT second_factor_required_at FROM orgs WHERE orgs.id = ?2) AS second_factor_required_at,"
    " api_keys.id AS key_id,"
)
# Of the person ?1, the teams of the organisation ?2 that it is in and of which a rule covers members.
_COVERING = (
    " FROM team_members WHERE team_members.org_id = ?2 AND team_members.user_id = ?1 AND ("
    " EXISTS (SELECT 1 FROM limits WHERE limits.org_id = ?2 AND limits.scope_type = 'team'"
    " AND limits.covers = 'members' AND limits.scope_id IN ('*', team_members.team_id))"
    " OR EXISTS (SELECT 1 FROM budgets WHERE budgets.org_id = ?2 AND budgets.scope_type = 'team'"
    " AND budgets.covers = 'members' AND budgets.scope_id IN ('*', team_members.team_id)))"
)
# Of the organisation ?2; all empty where the person is no member of it.
_MEMBERSHIP = (
    " LEFT JOIN memberships ON memberships.org_id = ?2 AND memberships.user_id = users.id"
    " LEFT JOIN api_keys ON api_keys.org_id = memberships.org_id AND api_keys.user_id = memberships.user_id"
    " AND api_keys.kind = 'person' AND api_keys.revoked_at IS NULL"
)


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person, and what it is in one organisation: `role` and `key_id` are None where it is no member."""

    user_id: str
    signed_out_at: datetime | None
    deleted_at: datetime | None
    suspended_at: datetime | None
    org_suspended_at: datetime | None
    totp_confirmed_at: datetime | None
    role: str | None
    custom_role_id: str | None
    permissions: frozenset[str] | None
    second_factor_required_at: datetime | None
    key_id: str | None
    member_of: str | None

    @property
    def lacks_second_factor(self) -> bool:
        """Tell whether the organisation asks its members for codes at sign-in, and this one has none."""
        return self.second_factor_required_at is not None and self.totp_confirmed_at is None


@dataclass(frozen=True, slots=True)
class TokenRow(PersonRow):
    """What the store knows of an access token: how often it was revoked, and how much of its family is alive."""

    revoked: int
    alive: int


@dataclass(frozen=True, slots=True)
class SessionPersonRow(PersonRow):
    """What the store knows of a session that is not revoked."""

    session_id: str
    seen_at: datetime
    expires_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class _TeamsRow:
    member_of: str | None


@dataclass(frozen=True, slots=True)
class _OrgRow:
    org_id: str


def _person(database: Database) -> str:
    return f"{_PERSON} (SELECT {_teams(database)}{_COVERING}) AS member_of"


def _teams(database: Database) -> str:
    return database.dialect.joined("team_members.team_id")


async def find_person(database: Database, user_id: str, org_id: str) -> PersonRow | None:
    """Return a person as it is in an organisation; None when there is no such person."""
    sql = f"SELECT {_person(database)} FROM users{_MEMBERSHIP} WHERE users.id = ?1"
    return await database.one(Member(org_id, user_id), PersonRow, sql, user_id, org_id)


async def covering_teams(database: Database, user_id: str, org_id: str) -> str:
    """Return the ids of a member's teams of which a rule covers members, with a space between them."""
    sql = f"SELECT {_teams(database)} AS member_of{_COVERING}"
    row = await database.one(Org(org_id), _TeamsRow, sql, user_id, org_id)
    return row.member_of or "" if row else ""


async def find_by_token(
    database: Database, user_id: str, org_id: str, jti_hash: str, family_id: str
) -> TokenRow | None:
    """Return who an access token speaks for, and whether it was revoked; None when there is no such person."""
    sql = (
        f"SELECT {_person(database)},"
        " (SELECT count(*) FROM revoked_tokens WHERE user_id = ?1 AND jti_hash = ?3) AS revoked,"
        " (SELECT count(*) FROM refresh_tokens WHERE user_id = ?1 AND family_id = ?4 AND revoked_at IS NULL) AS alive"
        f" FROM users{_MEMBERSHIP} WHERE users.id = ?1"
    )
    return await database.one(Member(org_id, user_id), TokenRow, sql, user_id, org_id, jti_hash, family_id)


async def find_by_session(database: Database, user_id: str, org_id: str, secret_hash: str) -> SessionPersonRow | None:
    """Return who a session speaks for; None when there is no such one, or it was revoked. It may have ended."""
    sql = (
        f"SELECT {_person(database)}, sessions.id AS session_id, sessions.seen_at, sessions.expires_at,"
        " sessions.created_at"
        f" FROM sessions JOIN users ON users.id = sessions.user_id{_MEMBERSHIP}"
        " WHERE sessions.user_id = ?1 AND sessions.secret_hash = ?3 AND sessions.revoked_at IS NULL"
        " AND coalesce(sessions.active_org_id, '') = ?2"
    )
    return await database.one(Member(org_id, user_id), SessionPersonRow, sql, user_id, org_id, secret_hash)


async def orgs_of(database: Database, user_id: str) -> list[str]:
    """Return the organisations where a person is a member, the first it joined first."""
    sql = "SELECT org_id FROM memberships WHERE user_id = ? ORDER BY created_at, org_id LIMIT ?"
    return [row.org_id for row in await database.query(Person(user_id), _OrgRow, sql, user_id, MOST_ORGS)]


def own_key(org_id: str, user_id: str, key_id: str, secret_hash: str, now: datetime) -> list[Statement]:
    """Return the group that makes the key that a member's calls are counted on, unless there is one or it is no member.

    Who has left and comes back gets the old one again: what was counted on it still counts. Nobody has the secret of
    such a key, so nothing that was revoked is opened by it. `secret_hash` is the same for the same member, so two at
    once make one key.
    """
    again = (
        "UPDATE api_keys SET revoked_at = NULL, version = version + 1, updated_at = ?3"
        " WHERE org_id = ?1 AND revoked_at IS NOT NULL AND id = (SELECT max(own.id) FROM api_keys AS own"
        " WHERE own.org_id = ?1 AND own.user_id = ?2 AND own.kind = 'person')"
        " AND EXISTS (SELECT 1 FROM memberships WHERE memberships.org_id = ?1 AND memberships.user_id = ?2)"
    )
    made = (
        "INSERT INTO api_keys (id, org_id, name, prefix, secret_hash, scopes, kind, user_id, created_at, updated_at)"
        " SELECT ?3, org_id, 'Member', 'hg_(member)', ?4, '[]', 'person', user_id, ?5, ?5 FROM memberships"
        " WHERE org_id = ?1 AND user_id = ?2"
        " AND NOT EXISTS (SELECT 1 FROM api_keys WHERE org_id = ?1 AND user_id = ?2 AND kind = 'person')"
        " ON CONFLICT (secret_hash) DO NOTHING"
    )
    return [Statement(again, (org_id, user_id, now)), Statement(made, (org_id, user_id, key_id, secret_hash, now))]
