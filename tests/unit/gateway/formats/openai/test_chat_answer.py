"""OpenAI's chat completions: what we believe of an answer, whole or streamed."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.gateway.formats.openai.chat import service_tier
from lib.gateway.formats.openai.chat_answer import (
    answer_estimate,
    completion,
    output_estimate,
    usage_of_answer,
    usage_of_stream,
)
from lib.gateway.formats.openai.errors import told_error
from lib.gateway.formats.openai.usage import read_usage
from lib.gateway.models import Completion
from lib.ledger.usage import Usage
from tests.unit.strategies import JSON, LINE_ENDS

TOKENS = {"prompt_tokens": 3, "completion_tokens": 5}


def stream(*values: object, line_end: bytes = b"\n", done: bool = True) -> bytes:
    """Return events with these values as data; bytes are taken as they are."""
    texts = [value if isinstance(value, bytes) else json.dumps(value).encode() for value in values]
    return b"".join(b"data: " + text + line_end * 2 for text in [*texts, *([b"[DONE]"] if done else [])])


def delta(finish: object = None, index: int = 0, **content: object) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": content, "finish_reason": finish}]}


@given(
    st.dictionaries(
        st.sampled_from(["usage", "service_tier", "choices", "x"]), JSON | st.sampled_from([TOKENS, "flex"])
    )
)
def test_a_whole_answer_tells_what_its_outermost_object_does(answer: dict[str, Any]) -> None:
    """Wherever its members stand, and whatever stands inside others: looking at its end first is no guess."""
    for value in (
        answer,
        {"inner": answer},
        {"inner": [answer], "usage": TOKENS},
        {**answer, "service_tier": "default"},
    ):
        text = json.dumps(value).encode()
        assert usage_of_answer(text) == read_usage(value.get("usage"), value.get("service_tier"))


@pytest.mark.parametrize("order", [["usage", "service_tier"], ["service_tier", "usage"]])
def test_a_usage_tells_its_tier_and_what_was_written_to_a_cache(order: list[str]) -> None:
    """In a whole answer, whichever comes first, and in a stream."""
    usage = {**TOKENS, "prompt_tokens_details": {"cache_write_tokens": 2}}
    members = {"usage": usage, "service_tier": "priority"}
    expected = Usage(input=3, output=5, cache_write=2, tier="priority")
    assert usage_of_answer(json.dumps({"id": "x", **{name: members[name] for name in order}}).encode()) == expected
    assert usage_of_stream(stream({"choices": [], **{name: members[name] for name in order}})) == expected


@pytest.mark.parametrize(("tier", "expected"), [(None, None), ("flex", "flex"), ({}, ""), (1, ""), ([], "")])
def test_a_request_asks_for_a_tier(tier: object, expected: str | None) -> None:
    """What can be none is one that nobody knows."""
    assert service_tier({"service_tier": tier}) == expected
    assert service_tier({}) is None


def usage_event(usage: object) -> dict[str, object]:
    return {"choices": [], "usage": usage}


def test_a_usage_object_is_read_in_full() -> None:
    """Cached and reasoning tokens are parts of input and output."""
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 30, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    expected = Usage(input=100, output=50, cached_input=30, reasoning=20)
    assert usage_of_answer(json.dumps({"usage": usage}).encode()) == expected
    assert usage_of_stream(stream(delta("stop"), usage_event(usage))) == expected


def test_an_answer_without_output_has_input_only() -> None:
    """As embeddings do."""
    assert usage_of_answer(b'{"usage":{"prompt_tokens":7,"total_tokens":7}}') == Usage(input=7)


HOSTILE: list[object] = [
    None,
    5,
    "many",
    [],
    {},
    {"prompt_tokens": None},
    {"prompt_tokens": -1, "completion_tokens": 1},
    {"prompt_tokens": 1, "completion_tokens": -1},
    {"prompt_tokens": 1, "completion_tokens": None},
    {"prompt_tokens": True, "completion_tokens": 1},
    {"prompt_tokens": 1.5, "completion_tokens": 1},
    {"prompt_tokens": 1e300, "completion_tokens": 1},
    {"prompt_tokens": "3", "completion_tokens": 1},
    {"prompt_tokens": 2**53, "completion_tokens": 1},
    {"prompt_tokens": 10**30, "completion_tokens": 1},
    {"completion_tokens": 5},
]


@pytest.mark.parametrize("usage", HOSTILE, ids=str)
def test_usage_that_makes_no_sense_is_not_believed(usage: object) -> None:
    """Then the call is charged by an estimate, and says so."""
    assert usage_of_answer(json.dumps({"usage": usage}).encode()) is None
    assert usage_of_stream(stream(delta("stop"), usage_event(usage))) is None


@pytest.mark.parametrize(
    "details",
    [None, 5, [], {"cached_tokens": -1}, {"cached_tokens": "2"}, {"cached_tokens": True}, {"cached_tokens": None}],
)
def test_details_that_make_no_sense_count_as_none(details: object) -> None:
    """The sums are still believed."""
    usage = {**TOKENS, "prompt_tokens_details": details, "completion_tokens_details": details}
    assert usage_of_answer(json.dumps({"usage": usage}).encode()) == Usage(input=3, output=5)


@pytest.mark.parametrize("answer", [b"", b"null", b"[]", b"<html>", b'{"usage":', b"\xff", b"[" * 9000])
def test_an_answer_that_is_no_object_tells_nothing(answer: bytes) -> None:
    """Nor does it break anything."""
    assert usage_of_answer(answer) is None


@given(JSON, LINE_ENDS)
def test_no_shape_of_an_event_breaks_the_reading(value: object, line_end: bytes) -> None:
    """Any JSON anywhere in the stream: usage, estimate and completion all give an answer."""
    for event in (value, {"choices": value}, {"choices": [value]}, {"choices": [{"delta": value}]}, {"usage": value},
                  {"choices": [{"delta": {"content": value, "tool_calls": value}, "finish_reason": value}]},
                  {"choices": [{"delta": {"tool_calls": [value]}}], "error": value}):  # fmt: skip
        text = stream(event, line_end=line_end, done=False)
        usage_of_stream(text)
        assert output_estimate(text) >= 0
        assert completion(text) in Completion


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading(text: bytes) -> None:
    """A stream of anything at all."""
    for content in (text, b"data: " + text + b"\n\n"):
        usage_of_stream(content)
        completion(content)
        assert output_estimate(content) >= 0


@given(LINE_ENDS, st.integers(0, 40_000))
def test_usage_is_found_behind_a_stream_of_any_length(line_end: bytes, length: int) -> None:
    """Only the tail is parsed, so an event that is cut by its start must not matter."""
    text = stream(delta(content="x" * length), delta("stop"), usage_event(TOKENS), line_end=line_end)
    assert usage_of_stream(text) == Usage(input=3, output=5)


def test_the_last_usage_counts() -> None:
    """Some providers tell a running total in every chunk; null in between is no usage."""
    running = [{**delta(content="x"), "usage": {"prompt_tokens": 3, "completion_tokens": n}} for n in (1, 2)]
    assert usage_of_stream(stream(*running, {**delta("stop"), "usage": None})) == Usage(input=3, output=2)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"completion_tokens_details": {"reasoning_tokens": 30}, "total_tokens": 38}, Usage(3, 35, reasoning=30)),
        ({"completion_tokens_details": {"reasoning_tokens": 30}}, Usage(3, 35, reasoning=30)),
        ({"completion_tokens_details": {"reasoning_tokens": 4}, "total_tokens": 8}, Usage(3, 5, reasoning=4)),
        ({"total_tokens": 50}, Usage(3, 47)),
        ({"total_tokens": 2}, Usage(3, 5)),
        ({"total_tokens": "50"}, Usage(3, 5)),
        ({"cached_tokens": 2}, Usage(3, 5, cached_input=2)),
        ({"prompt_cache_hit_tokens": 2, "prompt_cache_miss_tokens": 1}, Usage(3, 5, cached_input=2)),
        ({"num_cached_tokens": 2}, Usage(3, 5, cached_input=2)),
        ({"num_cached_tokens": None, "cached_tokens": [2]}, Usage(3, 5)),
    ],
)
def test_what_is_billed_is_counted_however_it_is_told(usage: dict[str, object], expected: Usage) -> None:
    """xAI and Gemini leave the reasoning out of the output and bill it; not all tell alike what a cache gave."""
    assert read_usage({**TOKENS, **usage}) == expected


@pytest.mark.parametrize("text", ["data:", "data: x", "a data:image/png;base64,AA", "\ndata: {"])
def test_usage_beside_a_text_that_looks_like_a_field_is_found(text: str) -> None:
    """Some providers tell it in the same event as the last of the text."""
    assert usage_of_stream(stream({**delta("stop", content=text), "usage": TOKENS})) == Usage(input=3, output=5)


LONG = [{"url": f"https://example.com/{number}"} for number in range(1_000)]  # twice what is looked at first
TELLING: list[dict[str, Any]] = [
    {"choices": [], "usage": TOKENS},
    {"usage": TOKENS},
    {"choices": None, "usage": TOKENS},
    {"choices": [], "usage": TOKENS, "search_results": LONG},
    {"usage": TOKENS, **delta("stop"), "citations": LONG},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": TOKENS}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": TOKENS}], "x": LONG, "usage": None},
    {**delta("stop"), "x_groq": {"id": "r", "usage": TOKENS}},
]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("event", TELLING, ids=range(len(TELLING)))
def test_usage_is_read_wherever_it_stands(event: dict[str, Any], line_end: bytes) -> None:
    """In the last events, not in the last bytes; and what tells it does not make a stream look broken off."""
    for behind in ([], [delta(content="")], [{"choices": [], "search_results": LONG}]):
        text = stream(delta(content="x"), delta("stop"), event, *behind, line_end=line_end, done=False)
        assert usage_of_stream(text) == Usage(input=3, output=5)
        assert completion(text) is Completion.WHOLE
    assert usage_of_answer(json.dumps(event).encode()) == Usage(input=3, output=5)


def test_reading_the_end_takes_time_in_proportion() -> None:
    """Also of a stream that is made to be long to read: each event is looked at once."""
    line = b'data: {"choices":[],"usage":{"a":1},"error":null}' + b"\r\r"
    for text in (line * 40_000, b"data: x\n\n" + line * 40_000, b'{"usage":{' * 200_000, b"\r\n" * 1_000_000):
        began = time.process_time()
        usage_of_stream(text)
        completion(text)
        assert time.process_time() - began < 5  # reading on from each of them would take minutes


def test_a_later_event_that_tells_no_usage_does_not_hide_it() -> None:
    """A provider may send something of its own behind it."""
    text = stream(delta("stop"), usage_event(TOKENS), {"x": {"usage": {"unit": "ms"}}})
    assert usage_of_stream(text) == Usage(input=3, output=5)


def test_a_text_that_speaks_of_usage_is_not_usage() -> None:
    """Only the member at the top of an event counts."""
    text = '"usage":{"prompt_tokens":9,"completion_tokens":9}'
    assert usage_of_stream(stream(delta(content=text), {"x": {"usage": TOKENS}})) is None


def test_output_is_estimated_by_events_or_by_length() -> None:
    """About a token an event; where the text is longer than that allows, four bytes a token."""
    assert output_estimate(stream(*[delta(content="a")] * 10)) == 10
    assert output_estimate(stream(delta(content="a" * 400))) == 100
    assert output_estimate(stream(delta(role="assistant"), delta(content=""), delta("stop"))) == 0
    assert output_estimate(stream(delta(content="ab", reasoning_content="cd", refusal="ef"))) == 2
    assert output_estimate(stream(delta(reasoning="abcdefgh"))) == 2
    assert output_estimate(stream(delta(reasoning="abcdefgh", reasoning_content="abcdefgh"))) == 2
    thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "abcdefgh"}]}, {"type": "text", "text": "i"}]
    assert output_estimate(stream(delta(content=thinking))) == 3
    assert (
        output_estimate(
            stream(delta(function_call={"arguments": "x" * 8}), delta(tool_calls=[{"custom": {"input": "y" * 8}}]))
        )
        == 4
    )
    call = {"index": 0, "function": {"name": "f", "arguments": "x" * 40}}
    assert output_estimate(stream(delta(tool_calls=[call, call]))) == 20


MESSAGES = [
    ({"content": "hi there"}, 2),
    ({"content": "hi", "reasoning_content": "x" * 40, "reasoning": "x" * 40}, 11),
    ({"content": None, "refusal": "no"}, 1),
    ({"content": None, "tool_calls": [{"id": "x" * 99, "function": {"name": "f", "arguments": "x" * 40}}] * 2}, 20),
    ({"content": [{"type": "text", "text": "x" * 8}, {"type": "image", "url": "y" * 99}]}, 2),
    ({"content": 5, "tool_calls": [7, {"function": 8, "custom": 9}, {"function": {"arguments": {}}}]}, 0),
    ("no object", 0),
]


@pytest.mark.parametrize(("message", "tokens"), MESSAGES)
def test_a_whole_answer_is_estimated_by_what_it_says(message: object, tokens: int) -> None:
    """Text, reasoning and arguments of tools: not by the JSON around them, of however many choices."""
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": {"content": ["x"] * 99}}
    answer = {"id": "x" * 99, "choices": [choice], "usage": None}
    assert answer_estimate(json.dumps(answer).encode()) == tokens
    assert answer_estimate(json.dumps({**answer, "choices": [choice, choice]}).encode()) in (2 * tokens, 2 * tokens - 1)


@pytest.mark.parametrize(
    "answer", [b"", b"null", b"<html>" * 99, b"[]", b"{}", b'{"choices":[5,{"message":[]}]}', b"\xff"]
)
def test_what_says_nothing_counts_nothing(answer: bytes) -> None:
    """Whatever its length."""
    assert answer_estimate(answer) == 0


def test_a_stream_that_nobody_asked_for_is_read_as_one() -> None:
    """Its usage, and else its text."""
    assert usage_of_answer(stream(delta(content="abcdefgh"), delta("stop"), usage_event(TOKENS))) == Usage(3, 5)
    assert answer_estimate(stream(delta(content="abcdefgh"))) == 2


ERRORS = [{"error": {"message": "overloaded"}}, {"error": "no", "code": "x"}, {"object": "error", "message": "no"}]
NO_ERRORS: list[object] = [
    {"error": None, "choices": []},
    {"choices": [{"message": {"content": '{"error": 1}'}, "finish_reason": "error"}]},
    {"x": {"error": {"message": "no"}}},
    ["error"],
    "error",
]


@pytest.mark.parametrize("more", [{}, {"usage": TOKENS}, {"choices": []}])
@pytest.mark.parametrize("error", ERRORS)
def test_an_error_is_one_whatever_its_status(error: dict[str, Any], more: dict[str, Any]) -> None:
    """Whole, and as an event: at its top, as a member or as its kind."""
    assert told_error(json.dumps({**more, **error}).encode())
    assert completion(stream(delta(content="a"), {**more, **error})) is Completion.FAILED


@pytest.mark.parametrize("value", NO_ERRORS)
def test_what_only_speaks_of_errors_is_none(value: object) -> None:
    """A null, a text, something inside."""
    assert not told_error(json.dumps(value).encode())
    assert completion(stream(value, delta("stop"))) is Completion.MARKED
    assert not told_error(b'{"error": {')


def test_an_event_under_way_is_not_counted() -> None:
    """The client could not read it either."""
    assert output_estimate(stream(delta(content="a"), done=False) + b'data: {"choices"') == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (stream(delta(content="a"), delta("stop")), Completion.MARKED),
        (stream(delta("length"), done=False), Completion.WHOLE),
        (stream(delta(content="a")), Completion.MARKED),
        (stream(delta(content="a"), done=False), Completion.TRUNCATED),
        (b"", Completion.TRUNCATED),
        (stream(delta(content="a"), done=False) + b"data: [DONE]", Completion.MARKED),
        (
            stream(delta(content="a"), done=False) + b'data: {"choices":[{"delta":{"content":"[DONE]',
            Completion.TRUNCATED,
        ),
        (stream(delta("stop"), done=False) + b'data: {"choices":[],"usa', Completion.WHOLE),
        (stream(delta("stop", index=0), delta(content="a", index=1), done=False), Completion.TRUNCATED),
        (stream(delta("stop", index=0), delta("length", index=1), done=False), Completion.WHOLE),
        (stream({"error": {"message": "x"}}), Completion.REFUSED),
        (stream({"choices": []}, {"error": {"message": "x"}}), Completion.REFUSED),
        (stream(delta(role="assistant"), {"error": {"message": "x"}}), Completion.FAILED),
        (stream(delta("stop"), {"error": {"message": "x"}}, done=False), Completion.FAILED),
        (stream({**delta(content="a"), "error": None}, done=False), Completion.TRUNCATED),
        (stream(delta(content='"error": "finish_reason"'), done=False), Completion.TRUNCATED),
        (stream(delta(finish="", content="a"), done=False), Completion.TRUNCATED),
        (stream(delta(content="[DONE]"), done=False), Completion.TRUNCATED),
        (stream(delta(content="x" * 50_000), delta("stop"), done=False), Completion.WHOLE),
    ],
)
def test_a_stream_tells_whether_it_said_all(text: bytes, expected: Completion) -> None:
    """An end mark or a reason to finish, and no error."""
    assert completion(text) is expected


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_the_framing_does_not_matter(line_end: bytes) -> None:
    """Whatever line ends a provider writes."""
    text = stream(delta(content="abcdefgh"), delta("stop"), usage_event(TOKENS), line_end=line_end)
    assert completion(text) is Completion.MARKED
    assert output_estimate(text) == 2
    assert usage_of_stream(text) == Usage(input=3, output=5)
