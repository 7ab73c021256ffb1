"""What accounts need of others: the guard against guessing, the audit log, and invitations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from lib.identity.context import Context
from lib.kernel.event import Detail
from lib.store.database import Statement
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


class Audit(Protocol):
    """The log of what was done. Its statements belong into the group that does it."""

    def person_event(
        self,
        user_id: str,
        action: str,
        context: Context,
        now: datetime,
        *,
        actor: str | None = None,
        result: str = "ok",
        details: Mapping[str, Detail] | None = None,
        only_if: Statement | None = None,
    ) -> list[Statement]:
        """Return the statements that note what a person has done, or an `actor` to it, or what was tried in its name.

        With `only_if`, if that finds a row just before.
        """
        ...

    def org_event(
        self,
        org_id: str,
        action: str,
        actor: str,
        context: Context,
        now: datetime,
        *,
        target: str | None = None,
        details: Mapping[str, Detail] | None = None,
        only_if: Statement | None = None,
    ) -> list[Statement]:
        """Return the statements that note what was done in an organisation, if `only_if` finds a row just before."""
        ...


class SignIn(Protocol):
    """How somebody proves who it is by a password."""

    async def __call__(
        self, services: Services, email: str, password: str, totp_code: str | None, context: Context
    ) -> UserRow:
        """Return the person. Raises Unauthorized: `invalid_credentials`, or `totp_required`; TooManyRequests."""
        ...


class Invitations(Protocol):
    """Invitations to organisations, as signing up needs them."""

    async def find(self, services: Services, token: str, email: str) -> InvitationRow | None:
        """Return the invitation that a token opens, if it is for this address and still open."""
        ...

    async def accept(self, services: Services, user: UserRow, invitation: InvitationRow) -> None:
        """Make the person a member. Nothing happens when the invitation is not open any more."""
        ...
