"""What the routes may use: wired once by `lib.bootstrap`, handed to every handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from lib.admission.counters import Counter
from lib.admission.decision import Ask, Refusal
from lib.clock import Clock
from lib.config import Config
from lib.gateway.accounts import Accounts
from lib.gateway.call import Gateway
from lib.http.idempotency import Sealer
from lib.identity.shield import Shield
from lib.store.database import Database, Store


class OrgGates(Protocol):
    """The management side of the gates. All raise `Unavailable`."""

    async def changed(self, org_id: str) -> None:
        """Tell the gate that the organisation's keys, models or rules have changed in the store."""
        ...

    async def flush(self, org_id: str) -> None:
        """Have the store brought up to date with what the gate has settled."""
        ...

    async def explain(self, org_id: str, ask: Ask) -> Refusal | None:
        """Return why a call would be refused now, or None. Nothing is counted."""
        ...

    async def counters(self, org_id: str) -> Mapping[str, Counter]:
        """Return how far each limit and budget is used up, by its id. One without an entry counts nothing so far."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """The application's parts. The requests of an isolate share all of them but `database`, which is one request's own.

    `checks` are the dependencies that `/readyz` tries, by name; each raises when its dependency is not well.
    """

    config: Config
    clock: Clock
    store: Store
    database: Database
    pepper: bytes
    accounts: Accounts
    shield: Shield
    gateway: Gateway
    gates: OrgGates
    sealer: Sealer
    checks: Mapping[str, Callable[[Services], Awaitable[None]]]
    openapi: bytes
    docs_page: bytes

    def for_request(self, bookmark: str | None = None) -> Services:
        """Return the same parts with a database of its own, for one request. See `Store.open`."""
        return replace(self, database=self.store.open(bookmark))
