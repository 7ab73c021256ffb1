"""Rows that a test needs before it begins, written through the code under test where there is any."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from lib.access.principal import ALL_SCOPES, Principal
from lib.kernel.ids import new_id
from lib.keys import key_store
from lib.keys.key_store import KEYS, Descendants
from lib.ledger.usage import NO_TOKENS
from lib.ledger.usage_record import UsageRecord
from lib.secrets import api_keys
from lib.store.database import Database, Statement
from lib.store.dialect import time_text
from lib.store.rows import columns
from lib.store.schema import ApiKeyRow, UserRow
from lib.store.tenant import Org, Person
from tests.unit.fakes import NOW

PEPPER = b"p" * 32


@dataclass(frozen=True)
class SeededKey:
    """A key in the store, and its secret."""

    principal: Principal
    secret: str
    secret_hash: str


async def seed_org(database: Database, name: str = "Acme") -> str:
    """Make an organisation; return its id."""
    org_id = new_id(NOW)
    sql = "INSERT INTO orgs (id, name, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)"
    await database.execute(Org(org_id), sql, org_id, name, NOW)
    return org_id


def key_row(org_id: str, secret: str, scopes: Iterable[str] = ALL_SCOPES, ends: datetime | None = None) -> ApiKeyRow:
    """Return what is written for a new key."""
    nothing: dict[str, Any] = {field.name: None for field in fields(ApiKeyRow)}
    told = {
        "id": new_id(NOW),
        "org_id": org_id,
        "created_by_key_id": None,
        "name": "seeded",
        "prefix": api_keys.shown_prefix(secret),
        "secret_hash": api_keys.key_hash(secret, PEPPER),
        "scopes": frozenset(scopes),
        "expires_at": ends,
        "version": 1,
        "created_at": NOW,
        "updated_at": NOW,
        "kind": key_store.SERVER,
    }
    return ApiKeyRow(**nothing | told)


async def seed_key(
    database: Database, org_id: str, scopes: Iterable[str] = ALL_SCOPES, ends: datetime | None = None
) -> SeededKey:
    """Make an API key."""
    secret = api_keys.new_key()
    row = key_row(org_id, secret, scopes, ends)
    await database.batch(Org(org_id), [key_store.insert(row)])
    return SeededKey(Principal(org_id, row.id, frozenset(scopes), ends), secret, row.secret_hash)


async def revoke_key(database: Database, org_id: str, key_id: str, now: datetime = NOW) -> None:
    """Revoke a key of the organisation, and nothing else."""
    row = await KEYS.get(database, org_id, key_id)
    assert row is not None
    await database.batch(Org(org_id), key_store.revoke_statements(row, org_id, Descendants.KEEP, now))


async def seed_person(
    database: Database,
    org_id: str | None = None,
    role: str = "owner",
    email: str = "ada@example.com",
    password_hash: str | None = None,
) -> UserRow:
    """Make an account with a confirmed address, and where an organisation is named its membership there."""
    user_id = new_id(NOW)
    sql = (
        "INSERT INTO users (id, email, name, password_hash, email_verified_at, created_at, updated_at)"
        " VALUES (?1, ?2, 'Ada', ?3, ?4, ?4, ?4)"
    )
    await database.execute(Person(user_id), sql, user_id, email, password_hash, NOW)
    if org_id is not None:
        await seed_membership(database, org_id, user_id, role)
    row = await database.one(Person(user_id), UserRow, f"SELECT {columns(UserRow)} FROM users WHERE id = ?", user_id)
    assert row is not None
    return row


async def write(database: Database, org_id: str, *statements: Statement) -> bool:
    """Run what a change writes, without its event; tell whether the last statement did anything."""
    return (await database.batch(Org(org_id), statements))[-1] > 0


async def seed_membership(database: Database, org_id: str, user_id: str, role: str = "owner") -> None:
    """Make somebody a member."""
    sql = "INSERT INTO memberships (org_id, user_id, role, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)"
    await database.execute(Org(org_id), sql, org_id, user_id, role, NOW)


def usage_record(org_id: str, key_id: str, **changes: object) -> UsageRecord:
    """Return the record of one finished request, with the fields that the test is about."""
    fields: dict[str, object] = {
        "id": new_id(NOW),
        "org_id": org_id,
        "key_id": key_id,
        "endpoint": "chat.completions",
        "model": "sim/chat",
        "provider": "sim",
        "upstream_model": "chat",
        "streamed": True,
        "cause": "finished",
        "status": 200,
        "estimated": False,
        **NO_TOKENS,
        "input_tokens": 10,
        "cached_input_tokens": 2,
        "output_tokens": 20,
        "reasoning_tokens": 3,
        "cost_nano_usd": 9000,
        "price_version": "sim-1",
        "first_byte_ms": 12,
        "duration_ms": 340,
        "started_at": time_text(NOW),
    }
    return UsageRecord(**(fields | changes))  # type: ignore[arg-type]
