"""A call under rules: its headers are on every answer, and who is refused costs nothing."""

from __future__ import annotations

import json

import pytest

from lib.gateway.call.admitting import Admitted
from lib.gateway.streams.upstream import UpstreamTimeout, UpstreamUnreachable
from lib.kernel.errors import HeadgateError, PaymentRequired, TooManyRequests
from tests.unit.gateway.calls import Calling, FakeGates
from tests.unit.gateway.fake_upstream import EVENTS, JSON, FakeAnswer

OURS = {"x-ratelimit-limit-requests": "10", "ratelimit": '"requests";r=3;t=2'}
THEIRS = {"x-ratelimit-limit-requests": "9999", "x-request-id": "req-1"}
ANSWERS = [
    (FakeAnswer(headers={**JSON, **THEIRS}), False, 200),
    (FakeAnswer(headers={**EVENTS, **THEIRS}, pieces=[b"data: [DONE]\n\n"]), True, 200),
    (FakeAnswer(429, {**JSON, **THEIRS}, [b'{"error":{}}']), False, 429),
    (FakeAnswer(failure=UpstreamUnreachable()), False, 502),
    (UpstreamTimeout(), True, 504),
]


@pytest.mark.parametrize(("answer", "streamed", "status"), ANSWERS)
def test_every_answer_says_where_its_caller_stands(
    answer: FakeAnswer | BaseException, streamed: bool, status: int
) -> None:
    """Our limits, not those of our account at the provider."""
    outcome = Calling(answer, streamed=streamed, gates=FakeGates(answer=Admitted(None, OURS))).call()
    assert outcome.status == status
    assert OURS.items() <= outcome.headers.items()


def test_what_is_granted_reaches_the_provider() -> None:
    """In its body."""
    caller = Calling(gates=FakeGates(answer=Admitted(77)))
    caller.call()
    assert json.loads(caller.upstream.sent[0].body)["output"] == 77


@pytest.mark.parametrize("refusal", [TooManyRequests("no", headers=OURS), PaymentRequired("no", headers=OURS)])
def test_who_is_refused_costs_nothing(refusal: HeadgateError) -> None:
    """Nothing is sent, and nothing settled."""
    caller = Calling(gates=FakeGates(refusal))
    outcome = caller.call()
    assert (outcome.error, outcome.headers) == (refusal, OURS)
    assert (caller.upstream.sent, caller.gates.settled) == ([], [])
