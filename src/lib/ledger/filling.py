"""How full the store is. D1 takes 10 GB, and refuses every write then."""

from __future__ import annotations

from lib.kernel import failures
from lib.kernel.failures import Failure
from lib.store.database import Database

# https://developers.cloudflare.com/d1/platform/limits/
MOST_BYTES = 10 * 10**9
WARN_AT = MOST_BYTES * 7 // 10


def note_filling(database: Database) -> None:
    """Note that the store is nearly full, where it is. It tells its size with each answer."""
    if database.size is not None and database.size >= WARN_AT:
        failures.note(Failure.STORE_FILLING, f"{database.size / 10**9:.1f} GB of {MOST_BYTES // 10**9}")
