"""How an app gets its tokens: by a password, or by a refresh token, which works once.

A refresh token that comes a second time was stolen, or its thief was first: nobody can tell, so the family ends, with
its access tokens, and the person's log says so (RFC 9700, 4.14).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from lib.defence.look_up import look_up
from lib.defence.shield import network_of
from lib.events.event import DENIED, OK, Event
from lib.http.context import Context
from lib.kernel.errors import Unauthorized
from lib.kernel.ids import new_id
from lib.secrets import rotation
from lib.secrets.api_keys import key_hash
from lib.secrets.opaque import is_secret, new_secret
from lib.store.schema import RefreshTokenRow, UserRow
from lib.store.tenant import Person
from lib.tokens import access_tokens, token_store
from lib.tokens.access_token import AccessToken
from lib.users import account_store, people, person_store

if TYPE_CHECKING:
    from lib.tokens.parts import Signing

PREFIX = "hgr_"
GUARDED = "refresh"
_ENDED = "You were signed out everywhere meanwhile. Sign in again."
_WRONG = "The refresh token is wrong, has ended, or was used before."


@dataclass(frozen=True, slots=True)
class Grant:
    """What an app gets. `scopes` is what the person may do in `org_id`, which is "" where it is in none."""

    access_token: str
    refresh_token: str
    org_id: str
    scopes: frozenset[str]
    refresh_expires_at: datetime


async def grant(parts: Signing, user: UserRow, org_id: str) -> Grant:
    """Begin a family for a person who has just proved who it is. `user` is as it was when it began to.

    Raises Unauthorized where its password has changed since, or the like.
    """
    user_id, work = user.id, parts.work(f"user:{user.id}")
    now, secret = work.now, new_secret(PREFIX)
    row = RefreshTokenRow(
        id=new_id(now),
        user_id=user_id,
        family_id=new_id(now),
        active_org_id=org_id or None,
        secret_hash=key_hash(secret, parts.pepper),
        expires_at=now + timedelta(days=parts.config.session.refresh_days),
        used_at=None,
        revoked_at=None,
        created_at=now,
        updated_at=now,
    )
    event, still = _event("token.granted", row), account_store.in_epoch(user_id, user.epoch)
    if not await work.commit(event, token_store.insert(row, user.epoch), only_if=still):
        raise Unauthorized(_ENDED, code="signed_out")
    return await _granted(parts, row, secret, org_id)


async def refresh(parts: Signing, secret: str, wanted_org: str | None, context: Context) -> Grant:
    """Use a refresh token up; return the next tokens of its family. Raises Unauthorized; NotFound for `wanted_org`.

    TooManyRequests where many wrong ones come from the same network.
    """
    if not is_secret(PREFIX, secret):
        raise _refused()
    presented = key_hash(secret, parts.pepper)
    try:
        row = await look_up(
            parts,
            network_of(context.address),
            presented,
            lambda: rotation.found(parts, secret, partial(token_store.find, parts.database)),
            _refused(),
        )
    except Unauthorized:
        # Only wrong ones are counted, by network. Whose account a right one is for, nobody knows before it is found.
        await parts.guard.check(GUARDED, "", context.address)
        await parts.guard.failed(GUARDED, "", context.address)
        raise
    now = parts.clock.now()
    if row.used_at is not None and row.revoked_at is None:
        await _stolen(parts, row)
        raise _refused()
    person = await person_store.find_person(parts.database, row.user_id, row.active_org_id or "")
    if row.revoked_at is not None or row.expires_at <= now or person is None or people.is_over(person, row.created_at):
        raise _refused()
    people.check_account(person.suspended_at)
    still = wanted_org or (row.active_org_id if person.role is not None else None)
    org_id = await people.choose_org(parts, row.user_id, still)
    new = new_secret(PREFIX)
    secret_hash = key_hash(new, parts.pepper)
    if not await token_store.rotate(parts.database, row, new_id(now), secret_hash, org_id or None, now):
        await _stolen(parts, row)  # somebody was first, a moment ago
        raise _refused()
    return await _granted(parts, row, new, org_id)


async def revoke(parts: Signing, token: AccessToken) -> None:
    """End an access token and its family at once, in each organisation where one of the family may be active."""
    work = parts.work(f"user:{token.user_id}")
    group = [
        token_store.revoke_access(token.user_id, token.jti_hash, token.expires_at, work.now),
        token_store.revoke_family(token.user_id, token.family_id, work.now),
    ]
    await work.commit(_event("token.revoked", token), *group)


async def _stolen(parts: Signing, row: RefreshTokenRow) -> None:
    work, event = parts.work(f"user:{row.user_id}"), _event("token.reused", row, DENIED)
    await work.commit(event, token_store.revoke_family(row.user_id, row.family_id, work.now))


def _event(name: str, of: RefreshTokenRow | AccessToken, result: str = OK) -> Event:
    return Event(name, Person(of.user_id), details={"family": of.family_id}, result=result)


async def _granted(parts: Signing, row: RefreshTokenRow, secret: str, org_id: str) -> Grant:
    person = await person_store.find_person(parts.database, row.user_id, org_id)
    scopes = people.scopes_of(person) if person is not None else frozenset()
    access = await access_tokens.issue(parts, row.user_id, org_id, scopes, row.family_id)
    return Grant(access, secret, org_id, scopes, row.expires_at)


def _refused() -> Unauthorized:
    return Unauthorized(_WRONG, code="invalid_refresh_token")
