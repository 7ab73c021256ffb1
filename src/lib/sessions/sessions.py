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

from lib.access.principal import Principal
from lib.config import SessionConfig
from lib.events.event import Event
from lib.http import cookies
from lib.http.context import Context
from lib.http.request import Headers
from lib.kernel.errors import NotFound, Unauthorized
from lib.kernel.ids import is_id, new_id
from lib.secrets import rotation
from lib.secrets.api_keys import derive, key_hash
from lib.secrets.opaque import is_secret, new_secret
from lib.sessions import csrf, session_store
from lib.sessions.session_store import ShownSession
from lib.store.schema import SessionRow, UserRow
from lib.store.tenant import Person
from lib.users import account_store, people, person_store
from lib.users.person_store import SessionPersonRow

if TYPE_CHECKING:
    from lib.events.parts import Parts

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


def cookie_of(headers: Headers) -> Cookie | None:
    """Return the session's cookie, where there is one that can be ours."""
    value = cookies.read(headers.get("cookie"))
    return read_cookie(value) if value else None


def csrf_key(secret: str) -> bytes:
    """Return the key of all CSRF tokens, from the deployment's secret."""
    return derive(secret, "csrf")


async def find(parts: Parts, cookie: Cookie) -> Principal | None:
    """Return who a session speaks for; None when there is no such one, or it has ended. Using it keeps it alive."""
    now = parts.clock.now()
    row = await _stored(parts, cookie)
    if row is None or people.is_over(row, row.created_at):
        return None
    if now >= row.expires_at or now >= row.seen_at + idle(parts.config.session):
        return None
    if now - row.seen_at >= TOUCH:
        await session_store.touch(parts.database, row.user_id, row.session_id, now)
    return people.principal_of(row, cookie.org_id, "session", row.session_id)


def idle(config: SessionConfig) -> timedelta:
    """Return after how long a session ends that nobody uses."""
    return timedelta(minutes=config.idle_minutes)


async def begin(parts: Parts, user: UserRow, org_id: str, context: Context, old: Cookie | None) -> NewSession:
    """Begin a session. One that the browser had until now ends: a secret from before never becomes a signed-in one.

    `user` is as it was when the sign-in began. Raises Unauthorized where its password has changed since, or the like.
    """
    user_id, work = user.id, parts.work(f"user:{user.id}")
    now = work.now
    cookie = Cookie(new_secret(PREFIX), user_id, org_id)
    row = SessionRow(
        id=new_id(now),
        user_id=user_id,
        secret_hash=key_hash(cookie.secret, parts.pepper),
        active_org_id=org_id or None,
        user_agent=context.user_agent,
        address=context.address,
        seen_at=now,
        expires_at=now + timedelta(days=parts.config.session.days),
        revoked_at=None,
        created_at=now,
        updated_at=now,
    )
    if old is not None:
        await _forget(parts, old, now)
    event = Event("session.begun", Person(user_id), details={"session": row.id})
    still = account_store.in_epoch(user_id, user.epoch)
    if not await work.commit(event, session_store.insert(row, user.epoch), only_if=still):
        raise Unauthorized(WRONG, code="invalid_session")
    return _new(parts, _shown(row), cookie)


async def renew(parts: Parts, principal: Principal, org_id: str) -> NewSession:
    """Give a session another secret, as whenever its rights change; and another active organisation.

    Raises NotFound where it has ended meanwhile.
    """
    now = parts.clock.now()
    user_id, session_id = str(principal.user_id), str(principal.session_id)
    cookie = Cookie(new_secret(PREFIX), user_id, org_id)
    secret_hash = key_hash(cookie.secret, parts.pepper)
    row = await get(parts, principal, session_id)
    if not await session_store.renew(parts.database, user_id, session_id, secret_hash, org_id or None, now):
        raise NotFound("There is no such session.")
    return _new(parts, replace(row, active_org_id=org_id or None, seen_at=now), cookie)


async def list_all(parts: Parts, user_id: str, before: str, most: int) -> list[ShownSession]:
    """Return a person's live sessions with an id below `before`, newest first."""
    now = parts.clock.now()
    idle_since = now - idle(parts.config.session)
    return await session_store.list_sessions(parts.database, user_id, now, idle_since, before, most)


async def get(parts: Parts, principal: Principal, session_id: str) -> ShownSession:
    """Return one of a person's own live sessions. Raises NotFound."""
    found = await list_all(parts, str(principal.user_id), session_id + "~", 1) if is_id(session_id) else []
    if not found or found[0].id != session_id:
        raise NotFound("There is no such session.")
    return found[0]


async def end(parts: Parts, principal: Principal, session_id: str) -> None:
    """End one of a person's own sessions at once. Raises NotFound."""
    await get(parts, principal, session_id)
    work, user_id = parts.work(principal.actor), str(principal.user_id)
    event = Event("session.ended", Person(user_id), details={"session": session_id})
    await work.commit(event, session_store.revoke(user_id, session_id, work.now))


async def sign_out_everywhere(parts: Parts, user_id: str) -> None:
    """End at once all that a person has signed in with: every session, refresh token and access token."""
    await end_all(parts, [user_id], f"user:{user_id}")


async def end_all(parts: Parts, user_ids: Iterable[str], actor: str) -> None:
    """End at once all that these people have signed in with. Of each organisation the gate is told once, at the end."""
    work, events = parts.work(actor), list[Event]()
    for user_id in user_ids:
        events.append(Event("session.all_ended", Person(user_id)))
        group = [account_store.sign_out(user_id, work.now), *account_store.end_sessions(user_id, work.now)]
        await work.write(events[-1], *group)
    await work.tell(*events)


async def _stored(parts: Parts, cookie: Cookie) -> SessionPersonRow | None:
    async def find(secret_hash: str) -> SessionPersonRow | None:
        return await person_store.find_by_session(parts.database, cookie.user_id, cookie.org_id, secret_hash)

    return await rotation.found(parts, cookie.secret, find)


async def _forget(parts: Parts, old: Cookie, now: datetime) -> None:
    row = await _stored(parts, old)
    if row is not None:
        statement = session_store.revoke(old.user_id, row.session_id, now)
        await parts.database.execute(Person(old.user_id), statement.sql, *statement.values)


def signed_in(principal: Principal) -> str:
    """Return the id of the caller's own session. Raises Unauthorized where it has signed in otherwise."""
    if principal.kind != "session" or principal.session_id is None:
        raise Unauthorized(WRONG, code="invalid_session")
    return principal.session_id


def _new(parts: Parts, shown: ShownSession, cookie: Cookie) -> NewSession:
    return NewSession(shown, cookie, csrf.token_of(cookie.secret, csrf_key(parts.config.secret)))


def _shown(row: SessionRow) -> ShownSession:
    return ShownSession(
        row.id, row.active_org_id, row.user_agent, row.address, row.seen_at, row.expires_at, row.created_at
    )
