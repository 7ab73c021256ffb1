"""API keys as their organisation manages them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from lib.access.bounds import UNBOUND, Bounds, require_within
from lib.access.principal import Principal
from lib.admission import rule_store
from lib.audit.differences import differences
from lib.defence.parts import Guarded
from lib.events.event import Detail, Event
from lib.http import etag
from lib.http.request import Headers
from lib.kernel.errors import Conflict, NotFound, PreconditionFailed
from lib.kernel.ids import is_id, new_id
from lib.keys import key_rules, key_store, lineage
from lib.keys.key_store import KEYS, SERVER, Descendants, bounds_of
from lib.secrets import api_keys
from lib.store.conditions import found
from lib.store.schema import ApiKeyRow
from lib.store.tenant import Org

LONGEST_OVERLAP = timedelta(days=30)


async def create(
    parts: Guarded,
    principal: Principal,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    bounds: Bounds = UNBOUND,
    team_id: str | None = None,
) -> tuple[ApiKeyRow, str]:
    """Make a key; return it and its secret, which nobody can read again.

    A key can't give more than its maker has: no other scopes, no wider bounds and no longer life. Where nothing is said
    of those, and of the team, the maker's hold. It belongs to the person that its maker belongs to.
    """
    key_rules.not_wider(principal, scopes)
    bounds = bounds.within(principal)
    work = parts.work(principal.actor)
    key_rules.in_the_future(expires_at, work.now)
    expires_at = expires_at or principal.expires_at
    key_rules.not_longer(principal, expires_at)
    secret = api_keys.new_key()
    team_id = await key_rules.team_for(parts, principal, team_id)
    key = await new_key(parts, principal, work.now, secret, name, scopes, expires_at, bounds, team_id)
    event = _event("key.created", principal, key.id, differences(None, key))
    if not await work.commit(event, key_store.insert(key), if_made=KEYS.found(key.org_id, key.id)):
        raise Conflict("Your key was revoked meanwhile.", code="key_revoked")
    return await get(parts, principal, key.id), secret


async def new_key(
    parts: Guarded,
    principal: Principal,
    now: datetime,
    secret: str,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None,
    bounds: Bounds,
    team_id: str | None,
    kind: str = SERVER,
    end_user: str | None = None,
) -> ApiKeyRow:
    """Return the row of a key that the caller makes. Raises UnprocessableEntity where it may make no other."""
    return ApiKeyRow(
        id=new_id(now),
        org_id=principal.org_id,
        created_by_key_id=principal.key_id,
        name=name,
        prefix=api_keys.shown_prefix(secret),
        secret_hash=api_keys.key_hash(secret, parts.pepper),
        scopes=frozenset(scopes),
        version=1,
        expires_at=expires_at,
        revoked_at=None,
        replaced_by_key_id=None,
        last_used_at=None,
        created_at=now,
        updated_at=now,
        kind=kind,
        user_id=principal.user_id,
        team_id=team_id,
        model_names=bounds.models,
        ip_ranges=bounds.ip_ranges,
        origins=bounds.origins,
        end_user=end_user,
        leaked_at=None,
        org_suspended_at=None,
        person_suspended_at=None,
        **lineage.of_made(await _making_key(parts, principal)),
    )


async def _making_key(parts: Guarded, principal: Principal) -> ApiKeyRow | None:
    """Return the key that the caller makes others with; None for a person: its keys count on rules for it."""
    if principal.is_person:
        return None
    return await KEYS.get(parts.database, principal.org_id, principal.key_id)


async def get(parts: Guarded, principal: Principal, key_id: str, headers: Headers | None = None) -> ApiKeyRow:
    """Return one key. Raises NotFound, also for another organisation's.

    With the headers of a request that changes it: PreconditionFailed where their `If-Match` names another version.
    """
    row = await KEYS.get(parts.database, principal.org_id, key_id) if is_id(key_id) else None
    if row is None:
        raise NotFound("There is no such key.")
    if headers is not None:
        etag.check_match(headers, row.version)
    return row


async def update(
    parts: Guarded,
    principal: Principal,
    row: ApiKeyRow,
    name: str,
    expires_at: datetime | None,
    bounds: Bounds | None = None,
) -> ApiKeyRow:
    """Change a key's name, end or bounds. Raises PreconditionFailed when somebody else was first."""
    key_rules.changeable(row)
    key_rules.active(row)
    await key_rules.may_manage(parts, principal, row)
    bounds = bounds or bounds_of(row)
    require_within(principal, bounds)
    work = parts.work(principal.actor)
    if expires_at != row.expires_at:
        key_rules.in_the_future(expires_at, work.now)
        key_rules.not_longer(principal, expires_at)
    unchanged = found("api_keys", principal.org_id, row.id, row.version, active=True)
    written = replace(row, name=name, expires_at=expires_at, updated_at=work.now)
    changed = replace(written, model_names=bounds.models, ip_ranges=bounds.ip_ranges)
    event = _event("key.updated", principal, row.id, differences(row, changed))
    if not await work.commit(event, key_store.update(changed), only_if=unchanged):
        raise PreconditionFailed()
    return await get(parts, principal, row.id)


async def rotate(
    parts: Guarded, principal: Principal, key_id: str, overlap: timedelta, headers: Headers | None = None
) -> tuple[ApiKeyRow, str]:
    """Make a key that takes another's place; the old one works for `overlap` more. Conflict if it is over already."""
    old = await get(parts, principal, key_id, headers)
    key_rules.changeable(old)
    key_rules.active(old)
    await key_rules.may_manage(parts, principal, old)
    work = parts.work(principal.actor)
    now = work.now
    if old.replaced_by_key_id is not None:
        raise Conflict("The key has been replaced already. Rotate the new one.", code="key_replaced")
    if old.expires_at is not None and old.expires_at <= now:
        raise Conflict("The key has expired.", code="key_expired")
    secret = api_keys.new_key()
    new = replace(
        old,
        id=new_id(now),
        created_by_key_id=principal.key_id,
        prefix=api_keys.shown_prefix(secret),
        secret_hash=api_keys.key_hash(secret, parts.pepper),
        **lineage.of_successor(old, await _making_key(parts, principal)),
    )
    group = [
        *key_store.replace_statements(principal.org_id, old.id, old.version, new, now + overlap, now),
        *rule_store.move_rules(principal.org_id, old.id, new.id, now),
    ]
    was = {"expires_at": old.expires_at, "replaced_by_key_id": None}
    ends = min(now + overlap, old.expires_at or now + overlap)
    details: dict[str, Detail] = {
        "new_key_id": new.id,
        **differences(was, {"expires_at": ends, "replaced_by_key_id": new.id}),
    }
    event, there = _event("key.rotated", principal, old.id, details), KEYS.found(principal.org_id, new.id)
    if not await work.commit(event, *group, if_made=there):
        raise Conflict("The key has changed meanwhile. Try again.")
    return await get(parts, principal, new.id), secret


async def revoke(
    parts: Guarded,
    principal: Principal,
    key_id: str,
    headers: Headers | None = None,
    descendants: Descendants = Descendants.MINTED,
) -> None:
    """Revoke a key at once and for good, and what is to end with it. Doing it twice is harmless."""
    row = await get(parts, principal, key_id, headers)
    key_rules.revocable(row)
    await key_rules.may_manage(parts, principal, row)
    work, active = parts.work(principal.actor), found("api_keys", principal.org_id, row.id, active=True)
    event = _event("key.revoked", principal, row.id, {"descendants": descendants.value, **differences(row, None)})
    group = key_store.revoke_statements(row, principal.org_id, descendants, work.now)
    await work.commit(event, *group, only_if=active)


def _event(name: str, principal: Principal, key_id: str, details: Mapping[str, Detail]) -> Event:
    return Event(name, Org(principal.org_id), f"key:{key_id}", details)
