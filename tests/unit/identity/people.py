"""What accounts need of others, as plain classes; and people who have signed up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from lib.http.errors import TooManyRequests, Unavailable
from lib.identity.context import Context
from lib.mail.port import Message
from lib.store.database import Statement
from lib.store.schema import InvitationRow, UserRow
from tests.unit.fakes import NOW

if TYPE_CHECKING:
    from lib.services import Services

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

    def token(self) -> str:
        """Return the token of the last mail."""
        [token] = set(re.findall(r"hgm_\w+", self.sent[-1].text))
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
class FakeAudit:
    """Writes an event as the real log does, but for its chain."""

    count: int = 0

    def person_event(
        self, user_id: str, action: str, context: Context, now: datetime, *, result: str = "ok",
        details: Mapping[str, str] | None = None,
    ) -> list[Statement]:  # fmt: skip
        self.count += 1
        return [
            Statement(
                "INSERT INTO person_events (user_id, seq, id, action, actor, result, address, request_id, details,"
                " previous_hash, hash, created_at, updated_at)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11, ?11)",
                (
                    user_id, self.count, f"event-{self.count}".ljust(36, "-"), action, f"user:{user_id}", result,
                    context.address, context.request_id, str(details or {}), "0" * 64, now,
                ),
            )
        ]  # fmt: skip

    def org_event(
        self, org_id: str, action: str, actor: str, context: Context, now: datetime, *, target: str | None = None,
        details: Mapping[str, str] | None = None, only_if: Statement | None = None,
    ) -> list[Statement]:  # fmt: skip
        self.count += 1
        asked = only_if or Statement("SELECT 1")
        return [
            Statement(
                "INSERT INTO audit_events (org_id, seq, id, action, actor, target, result, address, request_id,"
                " details, previous_hash, hash, created_at, updated_at)"
                f" SELECT ?, ?, ?, ?, ?, ?, 'ok', ?, ?, ?, ?, ?, ?, ? WHERE EXISTS ({asked.sql})",
                (
                    org_id, self.count, f"event-{self.count}".ljust(36, "-"), action, actor, target, context.address,
                    context.request_id, str(details or {}), "0" * 64, "0" * 64, now, now, *asked.values,
                ),
            )
        ]  # fmt: skip


@dataclass
class FakeInvitations:
    """One invitation, `token` for `email`; notes who has accepted it."""

    token: str = "invited"
    email: str = EMAIL
    org_id: str = "org".ljust(36, "-")
    accepted: list[str] = field(default_factory=list)

    async def find(self, _services: Services, token: str, email: str) -> InvitationRow | None:
        if (token, email) != (self.token, self.email):
            return None
        return InvitationRow(
            "invitation".ljust(36, "-"), self.org_id, email, "viewer", None, None, "h" * 64, NOW, None, None, NOW, NOW
        )

    async def accept(self, _services: Services, user: UserRow, _invitation: InvitationRow) -> None:
        self.accepted.append(user.id)
