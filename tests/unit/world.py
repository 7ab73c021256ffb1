"""The whole application on CPython: real routes, services and SQL, with fakes only where the platform begins."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from lib.access.principal import Principal
from lib.admission import policy_store
from lib.admission.counters import Counted, Counter, Place, Remembered
from lib.admission.decision import Ask, Refusal
from lib.admission.gate import IS_NEW, Gate
from lib.audit.audited import AuditedStore
from lib.audit.chain import chain_key
from lib.config import Config
from lib.defence.shield import Shield
from lib.gateway.call.admitting import Admitted, admitted
from lib.gateway.call.call import Gateway
from lib.gateway.call.denials import Denials
from lib.gateway.callers.cache import KvCache
from lib.gateway.callers.caller import Caller, StaleAccount
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


class CoreGates:
    """One real gate for each organisation, reached without a network. `failure` is what a call to it raises."""

    def __init__(self, store: D1Store, accounts: Callers, clock: FakeClock) -> None:
        self._database = store.open()
        self._accounts = accounts
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
        if self.failure:
            raise self.failure
        org_id = account.principal.org_id
        due, version = int(deadline.timestamp() * 1000), IS_NEW if account.is_new else account.version or 0
        asked = ask().to_json()
        row = f'[["{record.id}",{due},{record.to_json()},{asked}]]'
        told = self.of(org_id).handle(version, row, self._now_ms())
        current, answers = json.loads(told) if isinstance(told, str) else (told, {})
        if current != version:
            self._accounts.policy_is(org_id, current)
            if not account.is_new:
                raise StaleAccount(current)
        granted = admitted(answers.get(record.id))
        self.opened.append(record)
        return granted

    async def confirm(self, account: Caller) -> None:
        if self.failure:
            raise self.failure
        if account.is_new:
            return
        told = self.of(account.principal.org_id).handle(account.version or 0, "[]", self._now_ms())
        current = json.loads(told)[0] if isinstance(told, str) else told
        if current != account.version:
            self._accounts.policy_is(account.principal.org_id, current)
            raise StaleAccount(current)

    async def delivered(self, record: UsageRecord, *, at_once: bool) -> None:
        """It is, since `leave`."""

    def leave(self, record: UsageRecord) -> None:
        self.settled.append(record)
        self.of(record.org_id).handle(0, f'[["{record.id}",null,{record.to_json()}]]', self._now_ms())

    def _now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)

    async def accounts_changed(self, org_id: str) -> None:
        self._note(org_id, "accounts")
        self._accounts.policy_is(org_id, self.of(org_id).bump())

    async def rules_changed(self, org_id: str) -> None:
        self._note(org_id, "rules")
        policy = await policy_store.load_policy(self._database, org_id)
        self._accounts.policy_is(org_id, self.of(org_id).rules(policy, self._now_ms()))
        self._accounts.rules_changed(org_id)

    async def rule_changed(self, org_id: str, change: str) -> None:
        self._note(org_id, "rule")
        self._accounts.policy_is(org_id, self.of(org_id).rule(change, self._now_ms()))
        self._accounts.rules_changed(org_id)

    def _note(self, org_id: str, change: str) -> None:
        if self.failure:
            raise self.failure
        if org_id in self.away:
            raise Unavailable("away", code="gate_unavailable")
        self.changes.append(org_id)
        self.told.append(change)

    async def flush(self, org_id: str) -> None:
        if self.failure:
            raise self.failure
        while records := self.of(org_id).outbox():
            await usage_store.deliver(self._database, org_id, records, self._clock.now())
            self.of(org_id).delivered(records)

    async def accounts(self, org_id: str, budget_id: str, after: str, most: int) -> Counted | None:
        now = self._now_ms()
        told = self.of(org_id).accounts(budget_id, after, most, now)
        return None if told is None else Counted.of(now, told)

    async def remembered(self, org_id: str, after: str, most: int) -> Sequence[Remembered]:
        return [Remembered.of(one) for one in json.loads(json.dumps(self.of(org_id).remembered(after, most)))]

    async def places(self, org_id: str, call_ids: Sequence[str]) -> Mapping[str, Sequence[Place]]:
        told = self.of(org_id).places(json.dumps(call_ids))
        return {name: [Place(*place) for place in places] for name, places in told.items()}

    async def refused(self, org_id: str) -> int:
        return self.of(org_id).refused()

    async def explain(self, org_id: str, ask: Ask) -> Refusal | None:
        return self.of(org_id).explain(ask, self._now_ms())

    async def counters(self, org_id: str) -> Mapping[str, Counter]:  # noqa: ARG002 - a rule's id tells it apart
        """Whatever a test has put in."""
        if self.failure:
            raise self.failure
        return self.counted


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
    audited = AuditedStore(store, chain_key(config.secret))
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
        store=audited,
        database=audited.open(),
        archive=FakeArchive(),
        pepper=PEPPER,
        callers=accounts,
        shield=Shield(),
        refusals=Refusals(),
        gateway=Gateway(
            configured(read_settings(providers.get, refuse), config.default_output_tokens),
            *(upstream, gates, clock, config.upstream_timeout_seconds, 64, denials),
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
    world.gates._accounts = accounts
    gateway = replace(world.parts.gateway, denials=denials)
    world.parts = replace(world.parts, callers=accounts, gateway=gateway, shield=Shield(), refusals=Refusals())
