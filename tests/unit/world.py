"""The whole application on CPython: real routes, services and SQL, with fakes only where the platform begins."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from lib.access.principal import Principal
from lib.admission import policy_store, protocol
from lib.admission.counters import Counter
from lib.admission.decision import Ask
from lib.admission.gate import Gate
from lib.admission.protocol import NO_VERSION
from lib.config import Config
from lib.defence.shield import Shield
from lib.events.event_store import log_key
from lib.gateway.call.admitting import Admitted, admitted
from lib.gateway.call.call import Gateway
from lib.gateway.call.denials import Denials
from lib.gateway.call.gate_client import GateClient, judged_by
from lib.gateway.call.remembering_gates import RememberingGates
from lib.gateway.callers.cache import KvCache
from lib.gateway.callers.caller import Caller
from lib.gateway.callers.callers import Callers
from lib.gateway.model_lists import ModelLists
from lib.gateway.providers.configured import configured
from lib.gateway.providers.settings import read_settings, refuse
from lib.http.request import RawRequest
from lib.http.response import Response
from lib.kernel import json_body
from lib.kernel.errors import HeadgateError, Unavailable
from lib.ledger import usage_store
from lib.ledger.usage_record import UsageRecord
from lib.sign_in.passwords import HashCost, Passwords
from lib.store.d1 import D1Store
from lib.tokens.signing_keys import SigningKeys
from lib.web import cors, pipeline, render
from lib.web.app import App
from lib.web.docs_page import docs_page
from lib.web.refusals import Refusals
from lib.web.validate import validate
from tests.seen import DOCUMENT, ROUTER, SEEN
from tests.unit.admission.sqlite_sql import SqliteSql
from tests.unit.fakes import FakeArchive, FakeClock, FakeKv, FakeSealer, FakeStreams, known, raw_request, run
from tests.unit.gateway.fake_upstream import FakeUpstream
from tests.unit.sign_in.counting_hasher import CountingHasher
from tests.unit.sign_in.cpython_signatures import CPythonSignatures
from tests.unit.sign_in.people import FakeGuard, FakeInvitations, FakeMailer, FakeOutbox
from tests.unit.store.seeds import PEPPER, SeededKey, seed_key, seed_org
from tests.unit.store.sqlite_binding import SqliteBinding, new_store

CONFIG = Config(
    secret="s" * 32,
    upstream_timeout_seconds=600,
    output_floor_tokens=64,
    default_output_tokens=4096,
    ledger_retention_days=90,
)
# Made once: a world of a test's own is to be cheap.
OPENAPI, DOCS_PAGE = json_body.dump(DOCUMENT), docs_page(DOCUMENT, ROUTER.exposed)
PROVIDERS = {
    "OPENAI_BASE_URL": "https://openai.invalid/v1",
    "OPENAI_API_KEY": "sk-openai-secret",
    "SIM_BASE_URL": "http://sim.invalid",
    "SIM_API_KEY": "sim-secret-key",
}


class CoreGates(GateClient):
    """One real gate for each organisation, reached without a network. `failure` is what a call to it raises."""

    def __init__(self, store: D1Store, callers: Callers, clock: FakeClock) -> None:
        super().__init__(self, callers)
        self._database = store.open()
        self._clock = clock
        self.gates: dict[str, Gate] = {}
        self.asked = 0  # how often somebody asked to be let in
        self.opened: list[UsageRecord] = []
        self.settled: list[UsageRecord] = []
        self.changes: list[str] = []  # whose gates were told
        self.told: list[str] = []  # and of what
        self.counted: dict[str, Counter] = {}
        self.failure: Exception | None = None
        self.away: set[str] = set()  # whose gate can't be told

    def of(self, org_id: str) -> Gate:
        return self.gates.setdefault(org_id, Gate(SqliteSql()))

    async def open(self, account: Caller, record: UsageRecord, deadline: datetime, ask: Callable[[], Ask]) -> Admitted:
        self.asked += 1
        rows = protocol.batch([protocol.opening(record, int(deadline.timestamp() * 1000), ask())])
        told = protocol.told_of(await self.call(record.org_id, "batch", judged_by(account), rows))
        self._confirm(account, told.version)
        granted = admitted(told.answer(record.id))
        self.opened.append(record)
        return granted

    async def delivered(self, record: UsageRecord, *, at_once: bool) -> None:
        """It is, since `leave`."""

    def leave(self, record: UsageRecord) -> None:
        self.settled.append(record)
        self.of(record.org_id).handle(NO_VERSION, protocol.batch([protocol.settlement(record)]), self._now_ms())

    def _now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)

    async def call(self, org_id: str, name: str, *arguments: Any) -> Any:
        """Do what `lib.runtime.objects.gate_object` does with the gate."""
        if self.failure:
            raise self.failure
        if name in TELLING:
            if org_id in self.away:
                raise Unavailable("away", code="gate_unavailable")
            self.changes.append(org_id)
            self.told.append(TELLING[name])
        gate, now = self.of(org_id), self._now_ms()
        if name == "rules":
            return gate.rules(await policy_store.load_policy(self._database, org_id), now)
        if name == "flush":
            while records := gate.outbox():
                await usage_store.deliver(self._database, org_id, records, self._clock.now())
                gate.delivered(records)
            return None
        does: Mapping[str, Callable[..., object]] = {
            "batch": lambda version, rows: gate.handle(version, rows, now),
            "bump": gate.bump,
            "rule": lambda change: gate.rule(change, now),
            "refused": gate.refused,
            "counters": lambda: protocol.counters_text(self.counted),  # whatever a test has put in
            "accounts": lambda rule, after, most: protocol.counted_text(now, gate.accounts(rule, after, most, now)),
            "places": lambda names: json.dumps(gate.places(names)),
            "remembered": lambda after, most: json.dumps(gate.remembered(after, most)),
            "explain": lambda ask: protocol.refusal_text(gate.explain(Ask.from_json(json.loads(ask)), now)),
        }
        return does[name](*arguments)


TELLING = {"bump": "accounts", "rules": "rules", "rule": "rule"}


@dataclass(frozen=True)
class Answer:
    """An answer as a client sees it, and the facts of its log line."""

    status: int
    headers: Mapping[str, str]
    body: Any  # parsed JSON, else bytes
    facts: Mapping[str, object]
    cookies: Sequence[str] = ()

    @property
    def data(self) -> Any:
        return self.body["data"]

    @property
    def error(self) -> Any:
        return self.body["error"]


@dataclass
class People:
    """What stands behind people's accounts: their passwords, mails, attempts and the audit log."""

    hasher: CountingHasher
    mailer: FakeMailer
    guard: FakeGuard
    outbox: FakeOutbox


@dataclass
class World:
    """An organisation with one key that may do everything."""

    binding: SqliteBinding
    parts: App
    clock: FakeClock
    gates: CoreGates
    upstream: FakeUpstream
    key: SeededKey
    kv: FakeKv
    streams: FakeStreams
    people: People
    facts: list[Mapping[str, object]] = field(default_factory=list)

    @property
    def org_id(self) -> str:
        return self.key.principal.org_id

    def ask(
        self,
        method: str,
        target: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        key: str | None = "",
    ) -> Answer:
        """Send a request as the organisation's key does, or with another key, or (None) with no key."""
        sent = {"authorization": f"Bearer {key or self.key.secret}"} if key is not None else {}
        if body is not None:
            sent["content-type"] = "application/json"
        text = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return run(self._answer(raw_request(method, target, text, sent | dict(headers or {}))))

    def ask_as(
        self, user_id: str, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request as a person does that is signed in: whoever proves that, here it is given."""
        text = b"" if body is None else json.dumps(body).encode()
        sent = {"content-type": "application/json"} | dict(headers or {})
        return run(self._answer_as(user_id, raw_request(method, path, text, sent)))

    def new_key(self, *scopes: str, ends: datetime | None = None) -> SeededKey:
        """Make another key of the organisation."""
        return run(seed_key(self.parts.database, self.org_id, scopes, ends))

    async def _answer_as(self, user_id: str, raw: RawRequest) -> Answer:
        principal = Principal(
            self.org_id, self.key.principal.key_id, frozenset(), None, user_id=user_id, kind="session"
        )
        route, path = ROUTER.match(raw.method, raw.path)
        try:
            request = await validate(route, raw, path, known)
            return await self._finished(await route.handler(self.parts, request, principal))
        except HeadgateError as failure:
            return await self._finished(render.error(failure, route.dialect, raw.id))

    async def _answer(self, raw: RawRequest) -> Answer:
        response = await pipeline.handle(self.parts, ROUTER, raw)
        if not cors.is_preflight(raw) and response.headers.get("x-request-id") is None:  # that is the provider's own
            SEEN.note(raw.method, raw.path, response.status)
        return await self._finished(response)

    async def _finished(self, response: Response) -> Answer:
        facts = dict(response.facts) | dict(await response.finish() if response.finish else {})
        return Answer(response.status, response.headers, _body(response), facts, response.cookies)


def _body(response: Response) -> Any:
    if response.body is None:
        return b""
    native = response.body if isinstance(response.body, bytes) else response.body.native
    text = native if isinstance(native, bytes) else native.sent  # type: ignore[attr-defined]
    return json.loads(text) if response.headers.get("content-type") == "application/json" else text


async def _new_world(config: Config, kv: FakeKv, providers: Mapping[str, str]) -> World:
    store, binding = new_store()
    database = store.open()
    cache = KvCache(kv, read_seconds=0.05, write_seconds=0.05)
    denials = Denials(cache)
    clock, upstream, accounts, streams = FakeClock(), FakeUpstream(), Callers(cache, denials), FakeStreams()
    signatures = CPythonSignatures()
    gates = CoreGates(store, accounts, clock)
    hasher, mailer, guard, outbox = CountingHasher(), FakeMailer(), FakeGuard(), FakeOutbox()
    key = await seed_key(database, await seed_org(database))

    async def check(parts: App) -> None:
        await parts.database.check()

    parts = App(
        config=config,
        clock=clock,
        store=store,
        database=database,
        archive=FakeArchive(),
        pepper=PEPPER,
        log_key=log_key(config.secret),
        callers=accounts,
        shield=Shield(),
        refusals=Refusals(),
        gateway=Gateway(
            configured(read_settings(providers.get, refuse), config.default_output_tokens),
            *(upstream, RememberingGates(gates, denials), clock, config.upstream_timeout_seconds, 64),
            ModelLists(upstream.http, clock),
        ),
        gates=gates,
        sealer=FakeSealer(),
        streams=streams,
        tokens=SigningKeys(signatures),
        passwords=Passwords(hasher, config.secret, HashCost(64, 1), config.account.password_min_length),
        mailer=mailer,
        sent_mail=outbox,
        guard=guard,
        invitations=FakeInvitations(),
        issuers={},
        checks={"database": check},
        openapi=OPENAPI,
        docs_page=DOCS_PAGE,
    )
    people = People(hasher, mailer, guard, outbox)
    return World(binding, parts, clock, gates, upstream, key, kv, streams, people)


def new_world(providers: Mapping[str, str] = PROVIDERS, **config: Any) -> World:
    """Return a fresh application; `config` changes its settings, and `providers` are the variables of its providers."""
    return run(_new_world(replace(CONFIG, **config), FakeKv(), providers))


def cold(world: World) -> None:
    """Forget what an isolate remembers: the next request meets a new one, with the same store, gates and KV."""
    cache = KvCache(world.kv, read_seconds=0.05, write_seconds=0.05)
    denials = Denials(cache)
    accounts = Callers(cache, denials)
    world.gates._callers = accounts
    gateway = replace(world.parts.gateway, gates=RememberingGates(world.gates, denials))
    world.parts = replace(world.parts, callers=accounts, gateway=gateway, shield=Shield(), refusals=Refusals())
