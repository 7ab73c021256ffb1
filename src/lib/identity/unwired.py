"""In the place of parts that are built beside this one, until they are wired; then this file goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lib.http.errors import Unauthorized

if TYPE_CHECKING:
    from lib.identity.context import Context
    from lib.services import Services
    from lib.store.database import Statement
    from lib.store.schema import UserRow


class NoGuard:
    async def check(self, *_: Any) -> None: ...
    async def failed(self, *_: Any) -> None: ...
    async def succeeded(self, *_: Any) -> None: ...


class NoAudit:
    def person_event(self, *_: Any, **_named: Any) -> list[Statement]:
        return []

    def org_event(self, *_: Any, **_named: Any) -> list[Statement]:
        return []


async def no_sign_in(services: Services, email: str, password: str, totp_code: str | None, context: Context) -> UserRow:
    del services, email, password, totp_code, context
    raise Unauthorized("Nobody can sign in by a password here.", code="invalid_credentials")
