"""What the routes may use: wired once by `lib.bootstrap`, handed to every handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lib.admission.archive import Archive
from lib.admission.counters import Counted, Counter, Place, Remembered
from lib.admission.decision import Ask, Refusal
from lib.altered import altered
from lib.audit.refusals import Refusals
from lib.clock import Clock
from lib.config import Config
from lib.gateway.accounts import Accounts
from lib.gateway.call import Gateway
from lib.http.idempotency import Sealer
from lib.http.streaming import Streams
from lib.identity import person_store
from lib.identity.context import NO_REQUEST, Context
from lib.identity.identity_provider import IdentityProvider
from lib.identity.passwords import Passwords
from lib.identity.ports import Guard, Invitations
from lib.identity.shield import Shield
from lib.identity.signing_keys import SigningKeys
from lib.kernel.work import PolicyGates, Work
from lib.mail.outbox import Outbox
from lib.mail.port import Mailer
from lib.store.database import Database, Store


class OrgGates(PolicyGates, Protocol):
    """The management side of the gates. All raise `Unavailable`."""

    async def flush(self, org_id: str) -> None:
        """Have the store brought up to date with what the gate has settled."""
        ...

    async def explain(self, org_id: str, ask: Ask) -> Refusal | None:
        """Return why a call would be refused now, or None. Nothing is counted."""
        ...

    async def accounts(self, org_id: str, budget_id: str, after: str, most: int) -> Counted | None:
        """Return what a budget has counted, for the subjects behind `after`; None where the gate knows no such one."""
        ...

    async def places(self, org_id: str, call_ids: Sequence[str]) -> Mapping[str, Sequence[Place]]:
        """Return the budgets on which calls count, by the call's id, as long as the gate remembers them: a day."""
        ...

    async def remembered(self, org_id: str, after: str, most: int) -> Sequence[Remembered]:
        """Return calls that have ended and cost something, behind the id `after`; the gate remembers them for a day."""
        ...

    async def refused(self, org_id: str) -> int:
        """Return how many records the store has refused for good."""
        ...

    async def counters(self, org_id: str) -> Mapping[str, Counter]:
        """Return how far each limit and budget is used up, by its id. One without an entry counts nothing so far."""
        ...


@dataclass(frozen=True)  # no slots: see `altered`
class Services:
    """The application's parts. The requests of an isolate share all but `database` and `context`, which are one's own.

    `tokens` to `providers` are for people's accounts. `checks` are the dependencies that `/readyz` tries, by name;
    each raises when its dependency is not well.
    """

    config: Config
    clock: Clock
    store: Store
    database: Database
    archive: Archive | None
    pepper: bytes
    accounts: Accounts
    shield: Shield
    refusals: Refusals
    gateway: Gateway
    gates: OrgGates
    sealer: Sealer
    streams: Streams
    tokens: SigningKeys
    passwords: Passwords
    mailer: Mailer
    outbox: Outbox | None
    guard: Guard
    invitations: Invitations
    providers: Mapping[str, IdentityProvider]
    checks: Mapping[str, Callable[[Services], Awaitable[None]]]
    openapi: bytes
    docs_page: bytes
    context: Context = NO_REQUEST
    without: tuple[str, ...] = ()  # of what a deployment may leave out, by name
    older: tuple[bytes, ...] = ()  # the peppers of HEADGATE_SECRET_PREVIOUS

    def for_request(self, bookmark: str | None = None, context: Context = NO_REQUEST) -> Services:
        """Return the same parts with a database and a context of its own, for one request. See `Store.open`."""
        return altered(self, database=self.store.open(bookmark), context=context)

    def work(self, actor: str) -> Work:
        """Return what writes an actor's changes (`key:<id>`, `user:<id>`, `operator`, `system` or `nobody`)."""
        return Work(self.database, self.gates, person_store.orgs_of, self.clock.now(), actor, self.context)
