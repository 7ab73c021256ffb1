"""Everybody belongs somewhere: who was not invited begins with an organisation of its own."""

from __future__ import annotations

import hashlib
import secrets

from lib.events.event import Event
from lib.events.parts import Parts
from lib.kernel.ids import new_id
from lib.orgs import home_store
from lib.store.database import UniqueViolation
from lib.store.schema import UserRow
from lib.store.tenant import Org


async def ensure(parts: Parts, user: UserRow) -> None:
    """Make the person an organisation, where it belongs to none.

    Done after signing up, and looked at again at each sign-in: a crash in between leaves nobody without.
    """
    if await home_store.memberships(parts.database, user.id):
        return
    try:
        await _make(parts, user, home_id(user.id))
    except UniqueViolation:  # made meanwhile by somebody beside us, or made long ago and left
        if not await home_store.memberships(parts.database, user.id):
            await _make(parts, user, new_id(parts.clock.now()))


def home_id(user_id: str) -> str:
    """Return the id of a person's first organisation: always the same, so that it is made once."""
    digest = hashlib.sha256(f"home\0{user_id}".encode()).hexdigest()
    return f"{user_id[:15]}{digest[:3]}-8{digest[3:6]}-{digest[6:18]}"


async def _make(parts: Parts, user: UserRow, org_id: str) -> None:
    work = parts.work(f"user:{user.id}")
    name, key_id = f"{user.name}'s organisation", new_id(work.now)
    # A hash of nothing that anybody could present.
    group = home_store.make(org_id, name, user.id, key_id, secrets.token_hex(32), work.now)
    await work.commit(Event("org.created", Org(org_id), f"org:{org_id}"), *group)
