"""The daily work on what people sign in with."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lib.identity import mail_token_store, session_store, token_store

if TYPE_CHECKING:
    from lib.services import Services

# Kept for so long after its end: a refresh token that is used again then is still known as one that was used.
KEPT = timedelta(days=7)


async def purge(services: Services) -> dict[str, int]:
    """Delete what has ended, and see to the signing keys; return how much was deleted, for the log."""
    before = services.clock.now() - KEPT
    return {
        "mail_tokens": await mail_token_store.purge(services.database, services.clock.now()),
        "sessions": await session_store.purge(services.database, before),
        "tokens": await token_store.purge(services.database, before),
        "signing_keys": await services.tokens.rotate(services),
    }
