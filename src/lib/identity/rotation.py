"""Two secrets of a deployment side by side: what was stored or sealed under an older one still holds, and moves on use.

`services.older` has a pepper for each secret of HEADGATE_SECRET_PREVIOUS; nearly always there is none, and then nothing
here costs anything. docs/rotation.md tells what hangs on the secret, and when an old one may go.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from lib.identity.api_keys import derive, key_hash
from lib.store.database import Database, StoreError
from lib.store.schema import LoginRow
from lib.store.scope import Org, Person

if TYPE_CHECKING:
    from lib.services import Services

Row = TypeVar("Row")


def keys(services: Services, purpose: str) -> list[bytes]:
    """Return the keys of all secrets for one purpose, the current one's first."""
    return [derive(secret, purpose) for secret in services.config.secrets]


def older_hashes(services: Services, text: str) -> tuple[str, ...]:
    """Return under which other hashes a presented text may be stored."""
    return tuple(key_hash(text, pepper) for pepper in services.older)


async def found(services: Services, text: str, find: Callable[[str], Awaitable[Row | None]]) -> Row | None:
    """Return what `find` finds by the hash of a presented text: under the current secret, or else an older one."""
    row = await find(key_hash(text, services.pepper))
    for old in older_hashes(services, text) if row is None else ():
        row = await find(old)
        if row is not None:
            break
    return row


async def opened(services: Services, candidates: Iterable[bytes], sealed: bytes) -> bytes:
    """Return what was sealed under one of these keys. Raises ValueError where it was under none."""
    for key in candidates:
        try:
            return await services.sealer.open(key, sealed)
        except ValueError:
            continue
    raise ValueError("the text can't be opened with any key")


async def move_key(database: Database, org_id: str, key_id: str, old: str, new: str) -> None:
    """Store an API key under the hash of the current secret. Where the store can't now, the next use will."""
    sql = "UPDATE api_keys SET secret_hash = ? WHERE org_id = ? AND id = ? AND secret_hash = ?"
    with suppress(StoreError):
        await database.execute(Org(org_id), sql, new, org_id, key_id, old)


async def move_login(database: Database, login: LoginRow, new: str, now: datetime) -> None:
    """Store a way in under the hash of the current secret, likewise."""
    sql = "UPDATE logins SET secret_hash = ?, updated_at = ? WHERE user_id = ? AND id = ? AND secret_hash = ?"
    with suppress(StoreError):
        await database.execute(Person(login.user_id), sql, new, now, login.user_id, login.id, login.secret_hash)
