"""A gateway with a scripted provider and gates that remember, for the tests of a call to a model."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from lib.access.principal import Principal
from lib.admission.decision import Ask
from lib.gateway.bounds import Bound
from lib.gateway.call.admitting import Admitted
from lib.gateway.call.call import Gateway, call_model
from lib.gateway.call.telling import STREAM_COST
from lib.gateway.callers.caller import Caller
from lib.gateway.formats.format import Facts, Format
from lib.gateway.formats.openai.chat import CHAT
from lib.gateway.model_lists import ModelLists
from lib.gateway.models import ModelRoute
from lib.gateway.providers.compatible import Compatible
from lib.gateway.providers.vendor import Vendor
from lib.http.request import Validated
from lib.http.response import Response
from lib.kernel.errors import HeadgateError
from lib.ledger.usage import Price, Rates, Tariff
from lib.ledger.usage_record import UsageRecord
from tests.unit.fakes import FakeClient, FakeClock, FakeHeaders, run
from tests.unit.gateway.fake_upstream import FakeAnswer, FakePassage, FakeRelay, FakeUpstream

SECRET = "sk-provider-secret-0123456789"
PRICE = Price(input=100, output=400, cached_input=50, version="p-1")
_SIM = Vendor("sim", default_price=PRICE, lists_itself=False)
PROVIDER = Compatible("sim", _SIM, "https://provider.internal/v1", SECRET)
UNPRICED = Compatible("free", Vendor("free", lists_itself=False), "https://free.internal")
TIERS = {"priority": Tariff(Rates(300, 1200, 150, 300)), "flex": Tariff(Rates(50, 200, 25, 50))}
_TIERS = Vendor("tiers", default_price=replace(PRICE, tiers=TIERS), lists_itself=False)
TIERED = Compatible("tiers", _TIERS, "https://tiers.internal")
ACCOUNT = Caller(
    Principal("org-1", "key-1", frozenset(), None), {"mine": ModelRoute("mine", "sim", "theirs", None)}, version=3
)
PROVIDERS = {provider.name: provider for provider in (PROVIDER, UNPRICED, TIERED)}
INPUT_ESTIMATE = 7
BOUND = Bound(20, None, 1, has_output=True)


async def nothing() -> None:
    """What is to happen once a call is open, where the test is about something else."""


@dataclass
class FakeGates:
    """Gates that remember what was opened and settled, in order; `failure` is what opening raises."""

    failure: Exception | None = None
    opened: list[tuple[UsageRecord, datetime]] = field(default_factory=list)
    settled: list[UsageRecord] = field(default_factory=list)
    left: list[UsageRecord] = field(default_factory=list)
    hurried: list[bool] = field(default_factory=list)  # of each settled, whether it went at once
    confirmed: list[Caller] = field(default_factory=list)
    asked: list[Ask] = field(default_factory=list)
    answer: Admitted = field(default_factory=Admitted)

    async def open(self, _account: Caller, record: UsageRecord, deadline: datetime, ask: Callable[[], Ask]) -> Admitted:
        if self.failure:
            raise self.failure
        self.opened.append((record, deadline))
        self.asked.append(ask())
        return self.answer

    async def confirm(self, account: Caller) -> None:
        self.confirmed.append(account)

    async def delivered(self, record: UsageRecord, *, at_once: bool) -> None:
        self.settled.append(record)
        self.hurried.append(at_once)

    def leave(self, record: UsageRecord) -> None:
        self.left.append(record)


@dataclass
class Outcome:
    """What came of one call."""

    status: int
    headers: Mapping[str, str]
    sent: bytes  # what the client got
    facts: Mapping[str, object]
    error: HeadgateError | None

    @property
    def json(self) -> Any:
        return json.loads(self.sent)


@dataclass
class Calling:
    """Calls a model once, and does all that remains to be done after the answer."""

    answer: FakeAnswer | BaseException = field(default_factory=FakeAnswer)
    streamed: bool = False
    wants_usage: bool = False
    wants_cost: bool = False
    tier: str | None = None
    model: str = "sim/chat"
    gates: FakeGates = field(default_factory=FakeGates)
    clock: FakeClock = field(default_factory=FakeClock)
    incoming: Validated[Any, Any] = field(
        default_factory=lambda: Validated("r", None, None, FakeHeaders(), FakeClient(), json={"model": "m"})
    )
    upstream: FakeUpstream = field(init=False)

    def __post_init__(self) -> None:
        self.upstream = FakeUpstream([self.answer])

    def call(self) -> Outcome:
        return run(self._call())

    @property
    def record(self) -> UsageRecord:
        """The one settlement that there must have been, of the one request that was opened."""
        [record] = self.gates.settled
        [(opened, _)] = self.gates.opened
        assert record.id == opened.id
        return record

    def throw_away(self) -> None:
        """Call, and throw the rest away once it is told of the end, as the platform does when it ends a request."""

        async def begin() -> None:
            response = await call_model(self._gateway(), self._format(), ACCOUNT, self._incoming(), nothing)
            assert response.finish is not None
            rest = response.finish()
            assert isinstance(rest, Coroutine)
            while not self.gates.left:
                rest.send(None)
            rest.close()

        run(begin())

    def _incoming(self) -> Validated[Any, Any]:
        headers = FakeHeaders({STREAM_COST: "true"}) if self.wants_cost else self.incoming.headers
        return self.incoming._replace(headers=headers)

    def _gateway(self) -> Gateway:
        lists = ModelLists(self.upstream.http, self.clock)
        return Gateway(PROVIDERS, self.upstream, self.gates, self.clock, 600, 64, lists)

    async def _call(self) -> Outcome:
        try:
            response = await call_model(self._gateway(), self._format(), ACCOUNT, self._incoming(), nothing)
        except HeadgateError as error:
            facts = await error.finish() if error.finish else {}
            return Outcome(error.status, error.headers, b"", facts, error)
        facts = dict(response.facts) | dict(await response.finish() if response.finish else {})
        return Outcome(response.status, response.headers, _sent(response), facts, None)

    def _format(self) -> Format[Any]:
        facts = Facts(self.model, self.streamed, INPUT_ESTIMATE, None, self.tier, self.wants_usage)
        return replace(
            CHAT,
            facts=lambda _body, _json: facts,
            bound=lambda *_: BOUND,
            written=lambda _json, model, _known: json.dumps({"model": model}).encode(),
            granted=lambda text, _json, _model, _known, output: text[:-1] + f',"output":{output}}}'.encode(),
        )


def _sent(response: Response) -> bytes:
    if response.body is None or isinstance(response.body, bytes):
        return response.body or b""
    native = response.body.native
    if isinstance(native, FakeRelay | FakePassage):
        return native.sent
    assert isinstance(native, bytes)
    return native
