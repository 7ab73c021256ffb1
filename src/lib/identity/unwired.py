"""In the place of parts that are built beside this one, until they are wired; then this file goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lib.http.errors import Unavailable

if TYPE_CHECKING:
    from lib.mail.port import Message
    from lib.store.database import Statement


class NoMailer:
    async def send(self, _message: Message) -> None:
        raise Unavailable("No mail is configured.")


class NoGuard:
    async def check(self, *_: Any) -> None: ...
    async def failed(self, *_: Any) -> None: ...
    async def succeeded(self, *_: Any) -> None: ...


class NoAudit:
    def person_event(self, *_: Any, **_named: Any) -> list[Statement]:
        return []

    def org_event(self, *_: Any, **_named: Any) -> list[Statement]:
        return []
