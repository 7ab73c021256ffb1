"""Browsers' sessions: begun, used, renewed and ended.

The cookie holds `hgs_…` and, in the open, whose it is and in which organisation: so one look at the store finds all
that a request needs. It proves nothing by those two: the row must have them too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lib.config import SessionConfig
from lib.http.errors import NotFound, Unauthorized
from lib.identity import account_store, csrf, people, person_store, rotation, session_store
from lib.identity.api_keys import derive, key_hash
from lib.identity.context import Context
from lib.identity.models import Principal
from lib.identity.opaque import is_secret, new_secret
from lib.identity.person_store import SessionPersonRow
from lib.identity.session_store import ShownSession
from lib.ids import is_id, new_id
from lib.kernel.event import Event
from lib.store.schema import SessionRow, UserRow
from lib.store.scope import Person

if TYPE_CHECKING:
    from lib.services import Services

PREFIX = "hgs_"
# How exactly it is known when a session was used last: so seldom a use is written down.
TOUCH = timedelta(minutes=1)
WRONG = "You are not signed in, or your session has ended."
_COOKIE = re.compile(r"([^.]{1,100})\.([0-9a-f-]{36})\.([0-9a-f-]{36})?")


@dataclass(frozen=True, slots=True)
class Cookie:
    """What a session's cookie says."""

    secret: str
    user_id: str
    org_id: str

    @property
    def value(self) -> str:
        return f"{self.secret}.{self.user_id}.{self.org_id}"


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that was just begun or renewed."""

    shown: ShownSession
    cookie: Cookie
    csrf_token: str


def read_cookie(value: str) -> Cookie | None:
    """Return what a cookie says; None where it can't be ours. Nothing is asked for that."""
    match = _COOKIE.fullmatch(value)
    if match is None or not is_secret(PREFIX, match[1]) or not is_id(match[2]):
        return None
    org_id = match[3] or ""
    return Cookie(match[1], match[2], org_id) if not org_id or is_id(org_id) else None


def csrf_key(secret: str) -> bytes:
    """Return the key of all CSRF tokens, from the deployment's secret."""
    return derive(secret, "csrf")


async def find(services: Services, cookie: Cookie) -> Principal | None:
    """Return who a session speaks for; None when there is no such one, or it has ended. Using it keeps it alive."""
    now = services.clock.now()
    row = await _stored(services, cookie)
    if row is None or people.is_over(row, row.created_at):
        return None
    if now >= row.expires_at or now >= row.seen_at + idle(services.config.session):
        return None
    if now - row.seen_at >= TOUCH:
        await session_store.touch(services.database, row.user_id, row.session_id, now)
    return people.principal_of(row, cookie.org_id, "session", row.session_id)


def idle(config: SessionConfig) -> timedelta:
    """Return after how long a session ends that nobody uses."""
    return timedelta(minutes=config.idle_minutes)


async def begin(services: Services, user: UserRow, org_id: str, context: Context, old: Cookie | None) -> NewSession:
    """Begin a session. One that the browser had until now ends: a secret from before never becomes a signed-in one.

    `user` is as it was when the sign-in began. Raises Unauthorized where its password has changed since, or the like.
    """
    user_id, work = user.id, services.work(f"user:{user.id}")
    now = work.now
    cookie = Cookie(new_secret(PREFIX), user_id, org_id)
    row = SessionRow(
        id=new_id(now),
        user_id=user_id,
        secret_hash=key_hash(cookie.secret, services.pepper),
        active_org_id=org_id or None,
        user_agent=context.user_agent,
        address=context.address,
        seen_at=now,
        expires_at=now + timedelta(days=services.config.session.days),
        revoked_at=None,
        created_at=now,
        updated_at=now,
    )
    if old is not None:
        await _forget(services, old, now)
    event = Event("session.begun", Person(user_id), details={"session": row.id})
    still = account_store.in_epoch(user_id, user.epoch)
    if not await work.commit(event, session_store.insert(row, user.epoch), only_if=still):
        raise Unauthorized(WRONG, code="invalid_session")
    return _new(services, _shown(row), cookie)


async def renew(services: Services, principal: Principal, org_id: str) -> NewSession:
    """Give a session another secret, as whenever its rights change; and another active organisation.

    Raises NotFound where it has ended meanwhile.
    """
    now = services.clock.now()
    user_id, session_id = str(principal.user_id), str(principal.session_id)
    cookie = Cookie(new_secret(PREFIX), user_id, org_id)
    secret_hash = key_hash(cookie.secret, services.pepper)
    row = await get(services, principal, session_id)
    if not await session_store.renew(services.database, user_id, session_id, secret_hash, org_id or None, now):
        raise NotFound("There is no such session.")
    return _new(services, replace(row, active_org_id=org_id or None, seen_at=now), cookie)


async def list_all(services: Services, user_id: str, before: str, most: int) -> list[ShownSession]:
    """Return a person's live sessions with an id below `before`, newest first."""
    now = services.clock.now()
    idle_since = now - idle(services.config.session)
    return await session_store.list_sessions(services.database, user_id, now, idle_since, before, most)


async def get(services: Services, principal: Principal, session_id: str) -> ShownSession:
    """Return one of a person's own live sessions. Raises NotFound."""
    found = await list_all(services, str(principal.user_id), session_id + "~", 1) if is_id(session_id) else []
    if not found or found[0].id != session_id:
        raise NotFound("There is no such session.")
    return found[0]


async def end(services: Services, principal: Principal, session_id: str) -> None:
    """End one of a person's own sessions at once. Raises NotFound."""
    await get(services, principal, session_id)
    work, user_id = services.work(principal.actor), str(principal.user_id)
    event = Event("session.ended", Person(user_id), details={"session": session_id})
    await work.commit(event, session_store.revoke(user_id, session_id, work.now))


async def sign_out_everywhere(services: Services, user_id: str) -> None:
    """End at once all that a person has signed in with: every session, refresh token and access token."""
    await end_all(services, [user_id], f"user:{user_id}")


async def end_all(services: Services, user_ids: Iterable[str], actor: str) -> None:
    """End at once all that these people have signed in with. Of each organisation the gate is told once, at the end."""
    work, events = services.work(actor), list[Event]()
    for user_id in user_ids:
        events.append(Event("session.all_ended", Person(user_id)))
        group = [account_store.sign_out(user_id, work.now), *account_store.end_sessions(user_id, work.now)]
        await work.write(events[-1], *group)
    await work.tell(*events)


async def _stored(services: Services, cookie: Cookie) -> SessionPersonRow | None:
    async def find(secret_hash: str) -> SessionPersonRow | None:
        return await person_store.find_by_session(services.database, cookie.user_id, cookie.org_id, secret_hash)

    return await rotation.found(services, cookie.secret, find)


async def _forget(services: Services, old: Cookie, now: datetime) -> None:
    row = await _stored(services, old)
    if row is not None:
        statement = session_store.revoke(old.user_id, row.session_id, now)
        await services.database.execute(Person(old.user_id), statement.sql, *statement.values)


def signed_in(principal: Principal) -> str:
    """Return the id of the caller's own session. Raises Unauthorized where it has signed in otherwise."""
    if principal.kind != "session" or principal.session_id is None:
        raise Unauthorized(WRONG, code="invalid_session")
    return principal.session_id


def _new(services: Services, shown: ShownSession, cookie: Cookie) -> NewSession:
    return NewSession(shown, cookie, csrf.token_of(cookie.secret, csrf_key(services.config.secret)))


def _shown(row: SessionRow) -> ShownSession:
    return ShownSession(
        row.id, row.active_org_id, row.user_agent, row.address, row.seen_at, row.expires_at, row.created_at
    )
