"""Two secrets of a deployment side by side: what was stored or sealed under an older one still holds, and moves on use.

`parts.older` has a pepper for each secret of HEADGATE_SECRET_PREVIOUS; nearly always there is none, and then nothing
here costs anything. docs/rotation.md tells what hangs on the secret, and when an old one may go.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from lib.secrets.api_keys import derive, key_hash

if TYPE_CHECKING:
    from lib.secrets.keeping import Keeping

Row = TypeVar("Row")


def keys(parts: Keeping, purpose: str) -> list[bytes]:
    """Return the keys of all secrets for one purpose, the current one's first."""
    return [derive(secret, purpose) for secret in parts.config.secrets]


def older_hashes(parts: Keeping, text: str) -> tuple[str, ...]:
    """Return under which other hashes a presented text may be stored."""
    return tuple(key_hash(text, pepper) for pepper in parts.older)


async def found(parts: Keeping, text: str, find: Callable[[str], Awaitable[Row | None]]) -> Row | None:
    """Return what `find` finds by the hash of a presented text: under the current secret, or else an older one."""
    row = await find(key_hash(text, parts.pepper))
    for old in older_hashes(parts, text) if row is None else ():
        row = await find(old)
        if row is not None:
            break
    return row


async def opened(parts: Keeping, candidates: Iterable[bytes], sealed: bytes) -> bytes:
    """Return what was sealed under one of these keys. Raises ValueError where it was under none."""
    for key in candidates:
        try:
            return await parts.sealer.open(key, sealed)
        except ValueError:
            continue
    raise ValueError("the text can't be opened with any key")
