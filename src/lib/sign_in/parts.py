"""What people sign up and in with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from lib.issuers.issuer import Issuer
from lib.orgs.parts import Mailing
from lib.sign_in.passwords import Passwords
from lib.store.schema import InvitationRow, UserRow
from lib.tokens.parts import Signing


class Invitations(Protocol):
    """Invitations to organisations, as signing up needs them."""

    async def find(self, parts: SigningIn, token: str, email: str) -> InvitationRow | None:
        """Return the invitation that a token opens, if it is for this address and still open."""
        ...

    async def accept(self, parts: SigningIn, user: UserRow, invitation: InvitationRow) -> None:
        """Make the person a member. Nothing happens when the invitation is not open any more."""
        ...


class SigningIn(Mailing, Signing, Protocol):
    """Passwords, issuers of identities by name, and the invitations with which somebody comes."""

    @property
    def passwords(self) -> Passwords: ...

    @property
    def issuers(self) -> Mapping[str, Issuer]: ...

    @property
    def invitations(self) -> Invitations: ...
