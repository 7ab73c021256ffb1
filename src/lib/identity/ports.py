"""What accounts need of others: the guard against guessing, and invitations."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from lib.store.schema import InvitationRow, UserRow

if TYPE_CHECKING:
    from lib.services import Services


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


class Invitations(Protocol):
    """Invitations to organisations, as signing up needs them."""

    async def find(self, services: Services, token: str, email: str) -> InvitationRow | None:
        """Return the invitation that a token opens, if it is for this address and still open."""
        ...

    async def accept(self, services: Services, user: UserRow, invitation: InvitationRow) -> None:
        """Make the person a member. Nothing happens when the invitation is not open any more."""
        ...
