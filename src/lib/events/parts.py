"""What every service needs. Each floor adds what it needs besides; `lib.web.app.App` has all of it."""

from __future__ import annotations

from typing import Protocol

from lib.events.event_store import Noted
from lib.events.work import PolicyGates, Work
from lib.http.context import Context
from lib.kernel.clock import Clock
from lib.secrets.keeping import Keeping
from lib.store.database import Database


class Parts(Keeping, Protocol):
    """The time, the store and the caller of one request, and how a change is written."""

    @property
    def clock(self) -> Clock: ...

    @property
    def database(self) -> Database: ...

    @property
    def context(self) -> Context: ...

    @property
    def gates(self) -> PolicyGates: ...

    @property
    def written(self) -> list[Noted]: ...

    def work(self, actor: str) -> Work:
        """Return what writes an actor's changes (`key:<id>`, `user:<id>`, `operator`, `system` or `nobody`)."""
        ...
