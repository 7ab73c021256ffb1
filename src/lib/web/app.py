"""What the routes may use: wired once by `lib.worker.bootstrap`, handed to every handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from lib.admission.org_gates import OrgGates
from lib.config import Config
from lib.defence.attempts import Guard
from lib.defence.shield import Shield
from lib.events.event_store import Noted
from lib.events.work import Work
from lib.gateway.call.call import Gateway
from lib.gateway.callers.callers import Callers
from lib.http.context import NO_REQUEST, Context
from lib.http.streaming import Streams
from lib.issuers.issuer import Issuer
from lib.kernel.altered import altered
from lib.kernel.clock import Clock
from lib.ledger.archive import Archive
from lib.mail.port import Mailer
from lib.mail.sent_mail import SentMail
from lib.secrets.keeping import Sealer
from lib.sign_in.parts import Invitations
from lib.sign_in.passwords import Passwords
from lib.store.database import Database, Store
from lib.tokens.signing_keys import SigningKeys
from lib.users import person_store
from lib.web.refusals import Refusals


@dataclass(frozen=True)  # no slots: see `altered`
class App:
    """The application's parts. The requests of an isolate share all but `database`, `context` and `written`, which are
    one's own.

    `tokens` to `issuers` are for people's accounts. `checks` are the dependencies that `/readyz` tries, by name;
    each raises when its dependency is not well.
    """

    config: Config
    clock: Clock
    store: Store
    database: Database
    archive: Archive | None
    pepper: bytes
    log_key: bytes  # of the audit log
    callers: Callers
    shield: Shield
    refusals: Refusals
    gateway: Gateway
    gates: OrgGates
    sealer: Sealer
    streams: Streams
    tokens: SigningKeys
    passwords: Passwords
    mailer: Mailer
    sent_mail: SentMail | None
    guard: Guard
    invitations: Invitations
    issuers: Mapping[str, Issuer]
    checks: Mapping[str, Callable[[App], Awaitable[None]]]
    openapi: bytes
    docs_page: bytes
    context: Context = NO_REQUEST
    without: tuple[str, ...] = ()  # of what a deployment may leave out, by name
    older: tuple[bytes, ...] = ()  # the peppers of HEADGATE_SECRET_PREVIOUS
    written: list[Noted] = field(default_factory=list)  # the events of this request that are not linked yet

    def for_request(self, bookmark: str | None = None, context: Context = NO_REQUEST) -> App:
        """Return the same parts with a database and a context of its own, for one request. See `Store.open`."""
        return altered(self, database=self.store.open(bookmark), context=context, written=[])

    def work(self, actor: str) -> Work:
        """Return what writes an actor's changes (`key:<id>`, `user:<id>`, `operator`, `system` or `nobody`)."""
        now, orgs_of = self.clock.now(), person_store.orgs_of
        return Work(self.database, self.gates, orgs_of, now, actor, self.context, self.log_key, self.written)
