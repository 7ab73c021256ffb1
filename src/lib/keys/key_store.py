"""API keys in the store. Every statement names the organisation, but for the look-up by what somebody presents."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Literal

from lib.access.bounds import Bounds
from lib.access.principal import Principal
from lib.store.database import Database, Statement, StoreError
from lib.store.schema import ApiKeyRow
from lib.store.table import Table
from lib.store.tenant import EveryOrg, Org, Presented

# The kinds of keys. A `person` key has no secret that anybody knows: a member's own calls are counted on it.
SERVER, BROWSER, PERSON = "server", "browser", "person"


# No number bounds an organisation's keys; of the minted ones, their budgets do.
KEYS = Table("api_keys", ApiKeyRow, most=0, changes=("name", "expires_at", "model_names", "ip_ranges"))
# What is made with a key that was revoked or suspended a moment ago would not end with it. `?1` and `?3` are
# organisation and maker.
_WITH_A_MAKER = (
    "(CAST(?3 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM api_keys WHERE org_id = ?1 AND id = ?3 AND revoked_at IS NULL"
    " AND org_suspended_at IS NULL AND person_suspended_at IS NULL))"
)
# What a key's successor has not of it: whose successor it is says some, and the rest has happened to the one key alone.
_OWN = (
    "id", "org_id", "created_by_key_id", "prefix", "secret_hash", "created_at", "updated_at", "line_key_id",
    "maker_line_ids", "holder_key_id", "maker_holder_ids", "version", "revoked_at", "replaced_by_key_id",
    "last_used_at", "leaked_at",
)  # fmt: skip
# All else it has, so that no bound gets lost, nor a suspension that came meanwhile.
_KEPT = ", ".join(column.name for column in fields(ApiKeyRow) if column.name not in _OWN)


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
    suspended = _suspended(row)
    return Principal(
        row.org_id,
        row.id,
        frozenset() if suspended else row.scopes,
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
        suspended=suspended,
    )


def _suspended(row: ApiKeyRow) -> Literal["organisation", "account"] | None:
    if row.org_suspended_at is not None:
        return "organisation"
    return None if row.person_suspended_at is None else "account"


async def _presented(database: Database, secret_hash: str) -> ApiKeyRow | None:
    return await database.one(
        Presented(secret_hash),
        ApiKeyRow,
        f"SELECT {KEYS.columns} FROM api_keys"
        " WHERE secret_hash = ? AND revoked_at IS NULL AND kind <> 'person'",  # nobody has the secret of those
        secret_hash,
    )


async def _move(database: Database, row: ApiKeyRow, old: str, new: str) -> None:
    """Store a key under the hash of the deployment's secret of now. Where the store can't, the next use will."""
    sql = "UPDATE api_keys SET secret_hash = ? WHERE org_id = ? AND id = ? AND secret_hash = ?"
    with suppress(StoreError):
        await database.execute(Org(row.org_id), sql, new, row.org_id, row.id, old)


def bounds_of(row: ApiKeyRow) -> Bounds:
    """Return what a key is bound to."""
    return Bounds(row.model_names, row.ip_ranges, row.origins)


def insert(key: ApiKeyRow) -> Statement:
    """Return the statement that writes a new key, where the one that it is made with is not revoked."""
    return KEYS.insert_where(key, _WITH_A_MAKER)


def insert_with_budget(key: ApiKeyRow, budget_id: str) -> Statement:
    """Return the statement that writes a new key where the budget that was made for it is there."""
    made = f"EXISTS (SELECT 1 FROM budgets WHERE budgets.org_id = ?1 AND budgets.id = ?{len(fields(key)) + 1})"
    return KEYS.insert_where(key, made, budget_id)


def replace_statements(
    org_id: str, old_id: str, version: int, new: ApiKeyRow, ends: datetime, now: datetime
) -> list[Statement]:
    """Return the atomic group that makes `new` and lets the old key end at `ends`, or earlier if it did already.

    When the old key is no longer at `version`, the new one is not made: its insert selects from the old row all that is
    not new by its nature. `?3` is the key that it is made with.
    """
    own = (new.prefix, new.secret_hash, now, old_id, version)
    lineage = (new.line_key_id, new.maker_line_ids, new.holder_key_id, new.maker_holder_ids)
    return [
        Statement(
            "INSERT INTO api_keys (id, org_id, created_by_key_id, prefix, secret_hash, created_at, updated_at,"
            f" line_key_id, maker_line_ids, holder_key_id, maker_holder_ids, {_KEPT})"
            f" SELECT ?2, org_id, ?3, ?4, ?5, ?6, ?6, ?9, ?10, ?11, ?12, {_KEPT} FROM api_keys"
            f" WHERE org_id = ?1 AND id = ?7 AND version = ?8 AND revoked_at IS NULL AND {_WITH_A_MAKER}",
            (org_id, new.id, new.created_by_key_id, *own, *lineage),
        ),
        Statement(
            "UPDATE api_keys SET expires_at = CASE WHEN expires_at < ?1 THEN expires_at ELSE ?1 END,"
            " replaced_by_key_id = ?2, version = version + 1, updated_at = ?3"
            " WHERE org_id = ?4 AND id = ?5 AND version = ?6 AND revoked_at IS NULL"
            " AND EXISTS (SELECT 1 FROM api_keys WHERE org_id = ?4 AND id = ?2)",
            (ends, new.id, now, org_id, old_id, version),
        ),
    ]


def update(row: ApiKeyRow) -> Statement:
    """Return the statement that writes the name, end and bounds of a key that is still at the row's version."""
    changed = KEYS.update(row)
    return Statement(f"{changed.sql} AND revoked_at IS NULL", changed.values)


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


def revoke_statements(row: ApiKeyRow, org_id: str, descendants: Descendants, now: datetime) -> list[Statement]:
    """Return the group that revokes a key, with what ends with it. What is revoked already keeps its first date."""
    group = [Statement(f"{_REVOKED} WHERE org_id = ?2 AND id = ?3 AND revoked_at IS NULL", (now, org_id, row.id))]
    minted = f"{_REVOKED} WHERE org_id = ?2 AND kind = 'browser' AND expires_at > ?1 AND revoked_at IS NULL"
    if descendants is Descendants.MINTED:
        group.append(Statement(f"{minted} AND created_by_key_id = ?3", (now, org_id, row.id)))
    if descendants is Descendants.REVOKE:
        values = (now, org_id, row.id, row.holder_key_id or row.id)
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


def leak_statements(row: ApiKeyRow, org_id: str, now: datetime) -> list[Statement]:
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
