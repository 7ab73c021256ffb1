"""API keys in the store. Every statement names the organisation, but for the look-up by what somebody presents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from lib.access.bounds import UNBOUND, Bounds
from lib.access.principal import Principal
from lib.store.database import Database, Read, Statement, StoreError, Value
from lib.store.rows import columns
from lib.store.tenant import EveryOrg, Org, Presented

# The kinds of keys. A `person` key has no secret that anybody knows: a member's own calls are counted on it.
SERVER, BROWSER, PERSON = "server", "browser", "person"


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as its organisation may see it: never its hash."""

    id: str
    name: str
    prefix: str
    scopes: frozenset[str]
    version: int
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_by_key_id: str | None
    last_used_at: datetime | None
    created_at: datetime
    updated_at: datetime
    kind: str
    user_id: str | None
    team_id: str | None
    model_names: frozenset[str] | None
    ip_ranges: frozenset[str] | None
    origins: frozenset[str] | None
    end_user: str | None
    leaked_at: datetime | None
    line_key_id: str | None
    maker_line_ids: str | None
    holder_key_id: str | None
    maker_holder_ids: str | None

    @property
    def line_id(self) -> str:
        """On what its calls count: the first of the keys that replaced each other."""
        return self.line_key_id or self.id

    @property
    def holder_id(self) -> str:
        """The first of the keys that whoever holds this one has had."""
        return self.holder_key_id or self.id

    @property
    def bounds(self) -> Bounds:
        return Bounds(self.model_names, self.ip_ranges, self.origins)


_COLUMNS = columns(KeyRow)


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a key comes from, as `lib.keys.lineage` says. None: it is the first of its line, or of its holder's
    keys; no key has made it. Makers are ids with a space between them, the nearest first.
    """

    line_key_id: str | None = None
    maker_line_ids: str | None = None
    holder_key_id: str | None = None
    maker_holder_ids: str | None = None


FIRST = Lineage()


@dataclass(frozen=True, slots=True)
class NewKey:
    """What is written when a key is made."""

    id: str
    org_id: str
    created_by_key_id: str | None
    name: str
    prefix: str
    secret_hash: str
    scopes_json: str
    expires_at: datetime | None
    kind: str = SERVER
    user_id: str | None = None
    team_id: str | None = None
    bounds: Bounds = UNBOUND
    end_user: str | None = None
    lineage: Lineage = FIRST


@dataclass(frozen=True, slots=True)
class Successor:
    """What is written of a key that takes another's place. The rest is as the other's."""

    id: str
    created_by_key_id: str | None
    prefix: str
    secret_hash: str
    lineage: Lineage


@dataclass(frozen=True, slots=True)
class _PrincipalRow:
    id: str
    org_id: str
    scopes: frozenset[str]
    expires_at: datetime | None
    kind: str
    user_id: str | None
    team_id: str | None
    model_names: frozenset[str] | None
    ip_ranges: frozenset[str] | None
    origins: frozenset[str] | None
    end_user: str | None
    line_key_id: str | None
    maker_line_ids: str | None
    org_suspended_at: datetime | None
    person_suspended_at: datetime | None

    @property
    def suspended(self) -> Literal["organisation", "account"] | None:
        if self.org_suspended_at is not None:
            return "organisation"
        return None if self.person_suspended_at is None else "account"


_INSERTED = (
    "id, org_id, created_by_key_id, name, prefix, secret_hash, scopes, expires_at, created_at, updated_at, kind,"
    " user_id, team_id, model_names, ip_ranges, origins, end_user, line_key_id, maker_line_ids, holder_key_id,"
    " maker_holder_ids"
)
# What is made with a key that was revoked or suspended a moment ago would not end with it. `?2` and `?3` are
# organisation and maker.
_WITH_A_MAKER = (
    "(CAST(?3 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM api_keys WHERE org_id = ?2 AND id = ?3 AND revoked_at IS NULL"
    " AND org_suspended_at IS NULL AND person_suspended_at IS NULL))"
)
_PLACES = ", ".join(f"?{number}" for number in (*range(1, 10), *range(9, 21)))


async def find_principal(database: Database, secret_hash: str, older: Sequence[str] = ()) -> Principal | None:
    """Return who a key speaks for, or None when there is no such key or it is revoked. It may have expired.

    `older` are the hashes by which it may still be stored, under earlier secrets of the deployment. It moves then.
    """
    row = await _presented(database, secret_hash)
    for old in older if row is None else ():
        row = await _presented(database, old)
        if row is not None:
            await _move(database, row, old, secret_hash)
            break
    if row is None:
        return None
    return Principal(
        row.org_id,
        row.id,
        frozenset() if row.suspended else row.scopes,
        row.expires_at,
        user_id=row.user_id,
        team_id=row.team_id,
        kind="browser_key" if row.kind == BROWSER else "key",
        models=row.model_names,
        ip_ranges=row.ip_ranges,
        origins=row.origins,
        end_user=row.end_user,
        line_id=row.line_key_id,
        makers=row.maker_line_ids or "",
        suspended=row.suspended,
    )


async def _presented(database: Database, secret_hash: str) -> _PrincipalRow | None:
    return await database.one(
        Presented(secret_hash),
        _PrincipalRow,
        f"SELECT {columns(_PrincipalRow)} FROM api_keys"
        " WHERE secret_hash = ? AND revoked_at IS NULL AND kind <> 'person'",  # nobody has the secret of those
        secret_hash,
    )


async def _move(database: Database, row: _PrincipalRow, old: str, new: str) -> None:
    """Store a key under the hash of the deployment's secret of now. Where the store can't, the next use will."""
    sql = "UPDATE api_keys SET secret_hash = ? WHERE org_id = ? AND id = ? AND secret_hash = ?"
    with suppress(StoreError):
        await database.execute(Org(row.org_id), sql, new, row.org_id, row.id, old)


async def list_keys(database: Database, org_id: str, kind: str, after: str, limit: int) -> list[KeyRow]:
    """Return keys of one kind with an id below `after`, newest first."""
    return await database.query(
        Org(org_id),
        KeyRow,
        f"SELECT {_COLUMNS} FROM api_keys WHERE org_id = ? AND kind = ? AND id < ? ORDER BY id DESC LIMIT ?",
        org_id,
        kind,
        after,
        limit,
        read=Read.RECENT,
    )


async def get_key(database: Database, org_id: str, key_id: str) -> KeyRow | None:
    """Return one key, or None when the organisation has none of this id."""
    return await database.one(
        Org(org_id),
        KeyRow,
        f"SELECT {_COLUMNS} FROM api_keys WHERE org_id = ? AND id = ?",
        org_id,
        key_id,
    )


def insert(key: NewKey, now: datetime) -> Statement:
    """Return the statement that writes a new key, where the one that it is made with is not revoked."""
    return Statement(
        f"INSERT INTO api_keys ({_INSERTED}) SELECT {_PLACES} WHERE {_WITH_A_MAKER}",
        _values(key, now),
    )


def insert_with_budget(key: NewKey, budget_id: str, now: datetime) -> Statement:
    """Return the statement that writes a new key where the budget that was made for it is there."""
    return Statement(
        f"INSERT INTO api_keys ({_INSERTED}) SELECT {_PLACES} FROM budgets"
        " WHERE budgets.org_id = ?2 AND budgets.id = ?21",
        (*_values(key, now), budget_id),
    )


def _values(key: NewKey, now: datetime) -> tuple[Value, ...]:
    bounds = key.bounds
    return (
        key.id, key.org_id, key.created_by_key_id, key.name, key.prefix, key.secret_hash, key.scopes_json,
        key.expires_at, now, key.kind, key.user_id, key.team_id, _json(bounds.models), _json(bounds.ip_ranges),
        _json(bounds.origins), key.end_user, *astuple(key.lineage),
    )  # fmt: skip


def _json(texts: frozenset[str] | None) -> str | None:
    return None if texts is None else json.dumps(sorted(texts))


def replace_statements(
    org_id: str, old_id: str, version: int, new: Successor, ends: datetime, now: datetime
) -> list[Statement]:
    """Return the atomic group that makes `new` and lets the old key end at `ends`, or earlier if it did already.

    When the old key is no longer at `version`, the new one is not made: its insert selects from the old row. `?3` is
    the key that it is made with.
    """
    return [
        Statement(
            f"INSERT INTO api_keys ({_INSERTED}, person_suspended_at) SELECT ?1, org_id, ?3, name, ?4, ?5, scopes,"
            " expires_at, ?6, ?6, kind, user_id, team_id, model_names, ip_ranges, origins, end_user, ?9, ?10, ?11,"
            " ?12, person_suspended_at FROM api_keys"
            f" WHERE org_id = ?2 AND id = ?7 AND version = ?8 AND revoked_at IS NULL AND {_WITH_A_MAKER}",
            (
                new.id,
                org_id,
                new.created_by_key_id,
                new.prefix,
                new.secret_hash,
                now,
                old_id,
                version,
                *astuple(new.lineage),
            ),
        ),
        Statement(
            "UPDATE api_keys SET expires_at = CASE WHEN expires_at < ?1 THEN expires_at ELSE ?1 END,"
            " replaced_by_key_id = ?2, version = version + 1, updated_at = ?3"
            " WHERE org_id = ?4 AND id = ?5 AND version = ?6 AND revoked_at IS NULL"
            " AND EXISTS (SELECT 1 FROM api_keys WHERE org_id = ?4 AND id = ?2)",
            (ends, new.id, now, org_id, old_id, version),
        ),
    ]


def update(org_id: str, row: KeyRow, now: datetime) -> Statement:
    """Return the statement that writes the name, end and bounds of a key that is still at the row's version."""
    sql = (
        "UPDATE api_keys SET name = ?, expires_at = ?, model_names = ?, ip_ranges = ?, version = version + 1,"
        " updated_at = ? WHERE org_id = ? AND id = ? AND version = ? AND revoked_at IS NULL"
    )
    written = (row.name, row.expires_at, _json(row.model_names), _json(row.ip_ranges), now)
    return Statement(sql, (*written, org_id, row.id, row.version))


class Descendants(StrEnum):
    """What ends with a key: nothing else, what was minted with it, or all that was made with it and its successors:

    keys, and invitations that nobody has accepted.
    """

    KEEP = "keep"
    MINTED = "minted"
    REVOKE = "revoke"


# Of the organisation ?2: what has one holder with a key, and what was made with those; ?4 is the holder.
_HELD = (
    "org_id = ?2 AND kind = 'server' AND (coalesce(holder_key_id, id) = ?4 OR maker_holder_ids LIKE '%' || ?4 || '%')"
)
_REVOKED = "UPDATE api_keys SET revoked_at = ?1, version = version + 1, updated_at = ?1"


def revoke_statements(row: KeyRow, org_id: str, descendants: Descendants, now: datetime) -> list[Statement]:
    """Return the group that revokes a key, with what ends with it. What is revoked already keeps its first date."""
    group = [Statement(f"{_REVOKED} WHERE org_id = ?2 AND id = ?3 AND revoked_at IS NULL", (now, org_id, row.id))]
    minted = f"{_REVOKED} WHERE org_id = ?2 AND kind = 'browser' AND expires_at > ?1 AND revoked_at IS NULL"
    if descendants is Descendants.MINTED:
        group.append(Statement(f"{minted} AND created_by_key_id = ?3", (now, org_id, row.id)))
    if descendants is Descendants.REVOKE:
        values = (now, org_id, row.id, row.holder_id)
        made_with = f"created_by_key_id IN (SELECT id FROM api_keys WHERE {_HELD})"
        group.append(Statement(f"{minted} AND (created_by_key_id = ?3 OR {made_with})", values))
        group.append(
            Statement(
                "UPDATE invitations SET revoked_at = ?1, updated_at = ?1 WHERE org_id = ?2 AND accepted_at IS NULL"
                " AND revoked_at IS NULL AND (invited_by_key_id = ?3"
                f" OR invited_by_key_id IN (SELECT id FROM api_keys WHERE {_HELD}))",
                values,
            )
        )
        group.append(Statement(f"{_REVOKED} WHERE {_HELD} AND id <> ?3 AND revoked_at IS NULL", values))
    return group


def leak_statements(row: KeyRow, org_id: str, now: datetime) -> list[Statement]:
    """Return the group that revokes a key that has leaked, and all that was made with it: whoever found it may have."""
    leaked = Statement(
        "UPDATE api_keys SET leaked_at = ?1 WHERE org_id = ?2 AND id = ?3 AND revoked_at IS NULL", (now, org_id, row.id)
    )
    return [leaked, *revoke_statements(row, org_id, Descendants.REVOKE, now)]


@dataclass(frozen=True, slots=True)
class _OrgId:
    org_id: str


async def organisations_of_ended(database: Database, start: datetime, end: datetime) -> list[str]:
    """Return the organisations with browsers' keys that ended from `start` on and before `end`."""
    rows = await database.query(
        EveryOrg("api_keys"),
        _OrgId,
        "SELECT DISTINCT org_id FROM api_keys WHERE kind = 'browser' AND expires_at >= ? AND expires_at < ?",
        start,
        end,
    )
    return sorted(row.org_id for row in rows)


async def organisations_of_person(database: Database, user_id: str) -> list[str]:
    """Return the organisations that have keys of a person, also where it is no member any more."""
    sql = "SELECT DISTINCT org_id FROM api_keys WHERE user_id = ?"
    return [row.org_id for row in await database.query(EveryOrg("api_keys"), _OrgId, sql, user_id)]
