"""The daily work on what people sign in with."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lib.sessions import session_store
from lib.sign_in import mail_token_store
from lib.tokens import token_store

if TYPE_CHECKING:
    from lib.sign_in.parts import SigningIn

# Kept for so long after its end: a refresh token that is used again then is still known as one that was used.
KEPT = timedelta(days=7)


async def purge(parts: SigningIn) -> dict[str, int]:
    """Delete what has ended, and see to the signing keys; return how much was deleted, for the log."""
    before = parts.clock.now() - KEPT
    return {
        "mail_tokens": await mail_token_store.purge(parts.database, parts.clock.now()),
        "sessions": await session_store.purge(parts.database, before),
        "tokens": await token_store.purge(parts.database, before),
        "signing_keys": await parts.tokens.rotate(parts),
    }
