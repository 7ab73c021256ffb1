"""A gateway with a scripted provider and gates that remember, for the tests of a call to a model."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from lib.admission.decision import Ask
from lib.admission.usage_record import UsageRecord
from lib.gateway.account import Account
from lib.gateway.admitting import Admitted
from lib.gateway.bounds import Bound
from lib.gateway.call import Gateway, ModelRequest, StreamFormat, call_model
from lib.gateway.denials import Denials
from lib.gateway.formats import openai_chat, openai_chat_answer, openai_errors
from lib.gateway.model_lists import ModelLists
from lib.gateway.models import ModelRoute, Price, Rates, Tariff
from lib.gateway.providers import Provider
from lib.gateway.settlement import Call
from lib.gateway.usage_sieve import UsageSieve
from lib.http.errors import HeadgateError
from lib.http.request import Validated
from lib.http.response import Response
from lib.identity.models import Principal
from lib.ids import new_id
from tests.unit.fakes import FakeClient, FakeClock, FakeHeaders, run
from tests.unit.gateway.fake_upstream import FakeAnswer, FakePassage, FakeRelay, FakeUpstream

SECRET = "sk-provider-secret-0123456789"
PRICE = Price(input=100, output=400, cached_input=50, version="p-1")
PROVIDER = Provider("sim", "https://provider.internal/v1", {"authorization": f"Bearer {SECRET}"}, {}, (), PRICE)
UNPRICED = Provider("free", "https://free.internal", {}, {}, ())
TIERS = {"priority": Tariff(Rates(300, 1200, 150, 300)), "flex": Tariff(Rates(50, 200, 25, 50))}
TIERED = Provider("tiers", "https://tiers.internal", {}, {}, (), replace(PRICE, tiers=TIERS))
ACCOUNT = Account(
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
    confirmed: list[Account] = field(default_factory=list)
    asked: list[Ask] = field(default_factory=list)
    answer: Admitted = field(default_factory=Admitted)

    async def open(
        self, _account: Account, record: UsageRecord, deadline: datetime, ask: Callable[[], Ask]
    ) -> Admitted:
        if self.failure:
            raise self.failure
        self.opened.append((record, deadline))
        self.asked.append(ask())
        return self.answer

    async def confirm(self, account: Account) -> None:
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
class Caller:
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
            response = await call_model(self._gateway(), self._request(), ACCOUNT, self.incoming, nothing)
            assert response.finish is not None
            rest = response.finish()
            assert isinstance(rest, Coroutine)
            while not self.gates.left:
                rest.send(None)
            rest.close()

        run(begin())

    def _gateway(self) -> Gateway:
        lists = ModelLists(self.upstream.http, self.clock)
        return Gateway(PROVIDERS, self.upstream, self.gates, self.clock, 600, 64, Denials(), lists)

    async def _call(self) -> Outcome:
        try:
            response = await call_model(self._gateway(), self._request(), ACCOUNT, self.incoming, nothing)
        except HeadgateError as error:
            facts = await error.finish() if error.finish else {}
            return Outcome(error.status, error.headers, b"", facts, error)
        facts = dict(response.facts) | dict(await response.finish() if response.finish else {})
        return Outcome(response.status, response.headers, _sent(response), facts, None)

    def _request(self) -> ModelRequest:
        stream = StreamFormat(
            openai_chat_answer.usage_of_stream,
            openai_chat_answer.output_estimate,
            openai_chat_answer.completion,
            openai_chat_answer.condense,
            None if self.wants_usage else UsageSieve,
            self.wants_cost,
        )
        return ModelRequest(
            call=Call(
                new_id(self.clock.now()),
                "chat.completions",
                self.model,
                self.streamed,
                INPUT_ESTIMATE,
                lambda _images: BOUND,
                tier=self.tier,
                reasons=openai_chat.reasons_unseen,
            ),
            path="/chat/completions",
            body=lambda target, output: json.dumps({"model": target.upstream_model, "output": output}).encode(),
            usage=openai_chat_answer.usage_of_answer,
            output_estimate=openai_chat_answer.answer_estimate,
            told_error=openai_errors.told_error,
            stream=stream if self.streamed else None,
        )


def _sent(response: Response) -> bytes:
    if response.body is None or isinstance(response.body, bytes):
        return response.body or b""
    native = response.body.native
    if isinstance(native, FakeRelay | FakePassage):
        return native.sent
    assert isinstance(native, bytes)
    return native
