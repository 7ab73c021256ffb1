"""What somebody may try again and again, and who counts it."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Purpose(StrEnum):
    """What somebody may try again and again."""

    SIGN_IN = "sign_in"
    TOTP = "totp"
    SIGN_UP = "sign_up"
    RESET = "reset"
    CHANGE_EMAIL = "change_email"  # by account
    NEW_ADDRESS = "new_address"
    INVITATION = "invitation"
    INVITING = "inviting"  # by organisation


class Guard(Protocol):
    """Counts attempts by account and by the client's address. `account` is an e-mail address, or an id."""

    async def check(self, purpose: str, account: str, address: str | None) -> None:
        """Raise TooManyRequests where the next attempt comes too early."""
        ...

    async def failed(self, purpose: str, account: str, address: str | None) -> None:
        """Count an attempt that failed."""
        ...

    async def succeeded(self, purpose: str, account: str, address: str | None) -> None:
        """Forget the attempts on this account from this address, and that the last one counts for its network."""
        ...
