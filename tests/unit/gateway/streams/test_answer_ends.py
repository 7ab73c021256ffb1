"""Usage at either end of an answer of which the middle is not known."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.gateway.formats.openai.chat_answer import usage_of_answer
from lib.gateway.streams.answer_ends import usage_at_ends
from lib.gateway.streams.upstream import Ends, StreamEnd
from lib.ledger.usage import Usage
from tests.unit.gateway.calls import Calling
from tests.unit.gateway.fake_upstream import FakeAnswer
from tests.unit.strategies import JSON

TOLD = {"prompt_tokens": 7, "total_tokens": 7}
DATA = [{"object": "embedding", "index": number, "embedding": [0.25] * 500} for number in range(40)]
NESTED = [{"usage": {"prompt_tokens": 99}, "text": 'a "usage": {"prompt_tokens": 98} b', **item} for item in DATA]
SIZE = 2_000


def read(answer: dict[str, Any], size: int = SIZE, **shape: Any) -> Usage | None:
    text = json.dumps(answer, **shape).encode()
    return usage_at_ends(Ends(StreamEnd.PROVIDER_DONE, text[:size], text[-size:], len(text)), usage_of_answer)


@pytest.mark.parametrize("shape", [{}, {"indent": 1}, {"separators": (",", ":")}, {"ensure_ascii": False}])
@pytest.mark.parametrize("data", [DATA, NESTED])
@pytest.mark.parametrize("before", [False, True])
def test_usage_may_stand_behind_the_data_or_before_it(data: object, before: bool, shape: dict[str, Any]) -> None:
    """Whatever is written inside of the data."""
    told, rest = {"usage": TOLD}, {"object": "list", "model": "é", "data": data}
    assert read({**told, **rest} if before else {**rest, **told}, **shape) == Usage(input=7)


@pytest.mark.parametrize("answer", [{"data": DATA}, {"data": NESTED}, {"usage": None, "data": DATA}])
def test_what_stands_inside_is_not_the_answers(answer: dict[str, Any]) -> None:
    """Then nobody has told."""
    assert read(answer) is None


@given(st.lists(JSON, max_size=20), st.integers(1, 300), st.booleans())
def test_no_answer_breaks_the_reader(data: list[Any], size: int, before: bool) -> None:
    """Cut anywhere: what is read is what was told, or nothing."""
    members = [("usage", TOLD), ("data", data)]
    assert read(dict(members if before else members[::-1]), size) in (None, Usage(input=7))


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        (StreamEnd.PROVIDER_DONE, "finished"),
        (StreamEnd.CLIENT_GONE, "client_gone_non_streaming"),
        (StreamEnd.PROVIDER_BROKE_OFF, "upstream_broke_off"),
        (StreamEnd.TIMEOUT, "upstream_timeout"),
    ],
)
@pytest.mark.parametrize("told", [True, False])
def test_an_answer_that_is_too_large_to_hold_is_handed_on_and_charged(how: StreamEnd, cause: str, told: bool) -> None:
    """Byte for byte, without a header of its cost: that is known when they are gone."""
    text = json.dumps({"data": ["x" * 3_000_000], **({"usage": TOLD} if told else {})}).encode()
    caller = Calling(FakeAnswer(pieces=[text[:1_000_000], text[1_000_000:]], how=how))
    outcome = caller.call()
    assert (outcome.status, outcome.sent == text, "x-headgate-cost" in outcome.headers) == (200, True, False)
    record = caller.record
    assert (record.cause, record.estimated) == (cause, not told)
    assert record.input_tokens == 7
    assert record.output_tokens == (0 if told else len(text) // 4)
