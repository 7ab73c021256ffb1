"""API keys as their organisation manages them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from lib.http.errors import Conflict, Forbidden, NotFound, PreconditionFailed, UnprocessableEntity
from lib.identity import api_keys, key_store
from lib.identity.key_store import KeyRow, NewKey
from lib.identity.models import Principal
from lib.ids import is_id, new_id
from lib.services import Services
from lib.store.scope import Org

LONGEST_OVERLAP = timedelta(days=30)


async def create(
    services: Services, principal: Principal, name: str, scopes: Sequence[str], expires_at: datetime | None
) -> tuple[KeyRow, str]:
    """Make a key; return it and its secret, which nobody can read again.

    A key can't give more than its maker has: no other scopes and no longer life. Where no end is said, the maker's
    holds.
    """
    _not_wider(principal, scopes)
    now = services.clock.now()
    _in_the_future(expires_at, now)
    expires_at = expires_at or principal.expires_at
    _not_longer(principal, expires_at)
    secret = api_keys.new_key()
    key = _new_key(services, principal, secret, name, scopes, expires_at)
    await services.database.batch(Org(principal.org_id), [key_store.insert(key, now)])
    return await get(services, principal, key.id), secret


async def get(services: Services, principal: Principal, key_id: str) -> KeyRow:
    """Return one key. Raises NotFound, also for another organisation's."""
    row = await key_store.get_key(services.database, principal.org_id, key_id) if is_id(key_id) else None
    if row is None:
        raise NotFound("There is no such key.")
    return row


async def update(
    services: Services, principal: Principal, row: KeyRow, name: str, expires_at: datetime | None
) -> KeyRow:
    """Change a key's name or end. Raises PreconditionFailed when somebody else was first."""
    _active(row)
    _not_wider(principal, row.scopes)
    now = services.clock.now()
    if expires_at != row.expires_at:
        _in_the_future(expires_at, now)
        _not_longer(principal, expires_at)
    if not await key_store.update_key(services.database, principal.org_id, row.id, row.version, name, expires_at, now):
        raise PreconditionFailed()
    await services.gates.changed(principal.org_id)
    return await get(services, principal, row.id)


async def rotate(services: Services, principal: Principal, key_id: str, overlap: timedelta) -> tuple[KeyRow, str]:
    """Make a key that takes another's place; the old one works for `overlap` more. Conflict if it is over already."""
    old = await get(services, principal, key_id)
    _active(old)
    _not_wider(principal, old.scopes)
    _not_longer(principal, old.expires_at)
    now = services.clock.now()
    if old.replaced_by_key_id is not None:
        raise Conflict("The key has been replaced already. Rotate the new one.", code="key_replaced")
    if old.expires_at is not None and old.expires_at <= now:
        raise Conflict("The key has expired.", code="key_expired")
    secret = api_keys.new_key()
    new = _new_key(services, principal, secret, old.name, sorted(old.scopes), None)
    group = key_store.replace_statements(principal.org_id, old.id, old.version, new, now + overlap, now)
    made, _ = await services.database.batch(Org(principal.org_id), group)
    if not made:
        raise Conflict("The key has changed meanwhile. Try again.")
    await services.gates.changed(principal.org_id)
    return await get(services, principal, new.id), secret


async def revoke(services: Services, principal: Principal, key_id: str) -> None:
    """Revoke a key at once and for good. Doing it twice is harmless.

    The store comes first: it is the truth. The gate is told next, and from its answer on every isolate refuses the key.
    """
    row = await get(services, principal, key_id)
    _not_wider(principal, row.scopes)
    await key_store.revoke_key(services.database, principal.org_id, row.id, services.clock.now())
    await services.gates.changed(principal.org_id)


def _new_key(
    services: Services, principal: Principal, secret: str, name: str, scopes: Iterable[str], ends: datetime | None
) -> NewKey:
    return NewKey(
        id=new_id(services.clock.now()),
        org_id=principal.org_id,
        created_by_key_id=principal.key_id,
        name=name,
        prefix=api_keys.shown_prefix(secret),
        secret_hash=api_keys.key_hash(secret, services.pepper),
        scopes_json=json.dumps(sorted(scopes)),
        expires_at=ends,
    )


def _not_wider(principal: Principal, scopes: Iterable[str]) -> None:
    beyond = sorted(set(scopes) - principal.scopes)
    if beyond:
        raise Forbidden(f"Your key lacks the scope {beyond[0]}, so it can't manage a key that has it.")


def _not_longer(principal: Principal, expires_at: datetime | None) -> None:
    """An ending key must not make one that outlives it: whoever stole it would keep what it was never given."""
    if principal.expires_at is not None and (expires_at is None or expires_at > principal.expires_at):
        raise Forbidden("Your key has an end, so it can't manage a key that lasts longer.")


def _in_the_future(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise UnprocessableEntity("expires_at must be in the future.")


def _active(row: KeyRow) -> None:
    if row.revoked_at is not None:
        raise Conflict("The key is revoked.", code="key_revoked")
