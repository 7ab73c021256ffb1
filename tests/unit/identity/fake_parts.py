"""The parts beside sessions and tokens, as plain classes: who knows the passwords, the guard, the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from lib.http.errors import TooManyRequests, Unauthorized
from lib.identity.context import Context
from lib.store.database import Statement
from lib.store.schema import UserRow

if TYPE_CHECKING:
    from lib.services import Services

PASSWORD = "correct horse battery"


@dataclass
class FakeSignIn:
    """Knows people by their address. Everybody has the same password."""

    people: dict[str, UserRow] = field(default_factory=dict)

    async def __call__(
        self,
        services: Services,  # noqa: ARG002 - the fake knows all that it needs
        email: str,
        password: str,
        totp_code: str | None,  # noqa: ARG002
        context: Context,  # noqa: ARG002
    ) -> UserRow:
        user = self.people.get(email)
        if user is None or password != PASSWORD:
            raise Unauthorized("wrong", code="invalid_credentials")
        return user


@dataclass
class FakeGuard:
    """Notes what it is told; `closed` lets nobody pass."""

    closed: bool = False
    failures: list[tuple[str, str, str | None]] = field(default_factory=list)

    async def check(self, purpose: str, account: str, address: str | None) -> None:  # noqa: ARG002
        if self.closed:
            raise TooManyRequests("Try again later.")

    async def failed(self, purpose: str, account: str, address: str | None) -> None:
        self.failures.append((purpose, account, address))

    async def succeeded(self, purpose: str, account: str, address: str | None) -> None: ...


@dataclass
class FakeAudit:
    """Notes events, and writes none."""

    events: list[tuple[str, str, str, Mapping[str, str]]] = field(default_factory=list)

    @property
    def actions(self) -> list[str]:
        return [action for _, action, _, _ in self.events]

    def person_event(
        self,
        user_id: str,
        action: str,
        context: Context,  # noqa: ARG002
        now: datetime,  # noqa: ARG002
        *,
        result: str = "ok",
        details: Mapping[str, str] | None = None,
    ) -> list[Statement]:
        self.events.append((user_id, action, result, details or {}))
        return []

    def org_event(
        self,
        org_id: str,
        action: str,
        actor: str,  # noqa: ARG002
        context: Context,  # noqa: ARG002
        now: datetime,  # noqa: ARG002
        *,
        target: str | None = None,  # noqa: ARG002
    ) -> list[Statement]:
        self.events.append((org_id, action, "ok", {}))
        return []
