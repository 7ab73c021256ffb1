"""What accounts need of others, as plain classes; and people who have signed up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lib.http.context import Context
from lib.kernel.errors import TooManyRequests, Unavailable
from lib.mail.port import Message
from lib.mail.sent_mail import KeptMail
from lib.store.schema import InvitationRow, UserRow
from tests.unit.fakes import NOW

if TYPE_CHECKING:
    from lib.sign_in.parts import SigningIn

CONTEXT = Context("request", "192.0.2.1", "test")
EMAIL, PASSWORD = "alice@wonder.example", "nine lives for cats"


@dataclass
class FakeMailer:
    """Keeps what is sent. `failing` is a mail server that is away."""

    sent: list[Message] = field(default_factory=list)
    failing: bool = False

    async def send(self, message: Message) -> None:
        if self.failing:
            raise Unavailable("The mail can't be sent.")
        self.sent.append(message)

    def subjects(self) -> list[tuple[str, str]]:
        return [(message.to, message.subject) for message in self.sent]

    def token(self, which: int = -1) -> str:
        """Return the token of the last mail, or of another."""
        [token] = set(re.findall(r"hgm_\w+", self.sent[which].text))
        return str(token)


@dataclass
class FakeGuard:
    """Refuses what is `closed`, and counts what failed."""

    closed: set[tuple[str, str]] = field(default_factory=set)
    failures: list[tuple[str, str, str | None]] = field(default_factory=list)

    async def check(self, purpose: str, account: str, address: str | None) -> None:  # noqa: ARG002 - the port's
        if (purpose, account) in self.closed:
            raise TooManyRequests("Too often.", headers={"retry-after": "7"})

    async def failed(self, purpose: str, account: str, address: str | None) -> None:
        self.failures.append((purpose, account, address))

    async def succeeded(self, purpose: str, account: str, address: str | None) -> None:  # noqa: ARG002 - the port's
        self.failures = [failure for failure in self.failures if failure[:2] != (purpose, account)]


@dataclass
class FakeOutbox:
    """Mails that are kept instead of sent."""

    mails: list[KeptMail] = field(default_factory=list)

    async def newest(self, most: int) -> Sequence[KeptMail]:
        return self.mails[::-1][:most]


@dataclass
class FakeInvitations:
    """One invitation, `token` for `email`; notes who has accepted it."""

    token: str = "invited"
    email: str = EMAIL
    org_id: str = "org".ljust(36, "-")
    accepted: list[str] = field(default_factory=list)

    async def find(self, _parts: SigningIn, token: str, email: str) -> InvitationRow | None:
        if (token, email) != (self.token, self.email):
            return None
        return InvitationRow(
            "invitation".ljust(36, "-"), self.org_id, email, "viewer", None, None, "h" * 64, NOW, None, None, NOW, NOW,
            mailed=True,
            invited_by_key_id=None,
        )  # fmt: skip

    async def accept(self, _parts: SigningIn, user: UserRow, _invitation: InvitationRow) -> None:
        self.accepted.append(user.id)
