"""OpenAI's chat completions: what we read of a request, and what the provider gets of it."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lib.gateway.formats.format import Writing
from lib.gateway.formats.openai.chat import CHAT, ChatRequest, client_size, facts, input_estimate
from lib.gateway.models import NO_FACTS, ModelFacts, OutputField
from lib.kernel import json_body
from lib.kernel.errors import BadRequest
from tests.unit.strategies import JSON_OBJECTS

USER = {"role": "user", "content": "hi"}


def upstream_body(
    json: dict[str, object], model: str, granted_output: int | None = None, known: ModelFacts = NO_FACTS
) -> bytes:
    """Return what is sent to a provider, whether it was measured before or not: that is the same."""
    request = ChatRequest.model_validate({"model": "m", "messages": [USER]})
    measured = Writing(CHAT, request, json, model, known)
    with suppress(BadRequest):
        measured.bound()
    sent = Writing(CHAT, request, json, model, known).text(granted_output)
    assert measured.text(granted_output) == sent
    return sent


@given(JSON_OBJECTS)
def test_fields_that_we_do_not_know_go_through(fields: dict[str, object]) -> None:
    """Whatever OpenAI adds to its API works here on the same day: only the model's name is replaced."""
    fields.pop("stream", None)
    sent = json.loads(upstream_body({**fields, "model": "mine"}, "theirs"))
    assert sent == {**fields, "model": "theirs"}


@given(JSON_OBJECTS)
def test_a_stream_is_asked_for_its_usage(options: dict[str, object]) -> None:
    """Whatever else the client wants of it stays."""
    body = {"model": "m", "stream": True, "stream_options": options}
    assert json.loads(upstream_body(body, "x"))["stream_options"] == {**options, "include_usage": True}


@pytest.mark.parametrize("more", [{}, {"stream_options": None}, {"stream_options": {"include_usage": False}}])
def test_also_where_the_client_did_not_ask(more: dict[str, object]) -> None:
    """Or asked not to: we take the event out again on its way."""
    sent = json.loads(upstream_body({"model": "m", "stream": True, **more}, "x"))
    assert sent["stream_options"] == {"include_usage": True}


REASONING = ["o1", "o3-mini", "o4-mini-2025-04-16", "gpt-5", "gpt-5.6-sol", "gpt-6-luna", "gpt-10", "chat-latest",
             "ft:o4-mini-2025-04-16:org::id", "daybreak-blue-latest", "gpt-rosalind-research",
             "openai/o3-mini", "vendors/openai/GPT-5-mini"]  # fmt: skip
OTHERS = [
    "gpt-4o",
    "gpt-4.1-mini",
    "gpt-4",
    "gpt-3.5-turbo",
    "ft:gpt-4o-2024-08-06:o::i",
    "chat",
    "gpt-oss-120b",
    "olmo",
    "allenai/olmo",
    "openai/gpt-oss-20b",
]


@pytest.mark.parametrize(
    ("model", "name"),
    [*((model, "max_completion_tokens") for model in REASONING), *((model, "max_tokens") for model in OTHERS)],
)
def test_the_granted_output_is_put_in_as_the_model_takes_it(model: str, name: str) -> None:
    """OpenAI's reasoning models refuse `max_tokens`, and many other servers know only that."""
    sent = json.loads(upstream_body({"model": "m", "max_tokens": None}, model, granted_output=77))
    assert sent[name] == 77
    assert [key for key in sent if key.startswith("max_") and sent[key] is not None] == [name]


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("model", ["my-deployment", "gpt-4o", "gpt-5"])
def test_what_was_said_of_a_model_goes_before_its_name(field: OutputField, model: str) -> None:
    """Behind a name that says nothing (a deployment's at Azure) may be a reasoning model."""
    sent = json.loads(upstream_body({"model": "m"}, model, 77, ModelFacts(output_field=field)))
    assert sent == {"model": model, field: 77}


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("model", ["gpt-4o", "gpt-5"])
def test_a_clients_own_limit_stays(name: str, model: str) -> None:
    """It is within the bound that was reserved, and which of the two names it uses is between it and the provider."""
    body: dict[str, object] = {"model": model, name: 5}
    assert json.loads(upstream_body(body, model, granted_output=77)) == body


@pytest.mark.parametrize(
    ("known", "own", "sent"),
    [
        ("max_tokens", {"max_completion_tokens": 5}, {"max_tokens": 5}),
        ("max_tokens", {"max_completion_tokens": 5, "max_tokens": None}, {"max_tokens": 5}),
        ("max_completion_tokens", {"max_tokens": 5}, {"max_completion_tokens": 5}),
        ("max_tokens", {"max_tokens": 5}, {"max_tokens": 5}),
        ("max_tokens", {"max_completion_tokens": 9, "max_tokens": 5}, {"max_completion_tokens": 9, "max_tokens": 5}),
        ("max_tokens", {"max_completion_tokens": None}, {"max_completion_tokens": None, "max_tokens": 77}),
    ],
)
def test_a_clients_limit_has_the_name_that_is_known_to_heed_it(
    known: OutputField, own: dict[str, object], sent: dict[str, object]
) -> None:
    """DeepSeek passes over `max_completion_tokens` without a word, and Mistral refuses it: then a call that was let in
    as one of 5 tokens would make thousands.
    """
    facts = ModelFacts(output_field=known)
    assert json.loads(upstream_body({"model": "m", **own}, "x", 77, facts)) == {"model": "x", **sent}


def test_without_a_grant_no_limit_is_put_in() -> None:
    """Where no budget needs one, the body goes on as it came."""
    assert json.loads(upstream_body({"model": "m"}, "gpt-5")) == {"model": "gpt-5"}


@pytest.mark.parametrize("stream_field", [False, None])
def test_without_a_stream_nothing_is_added(stream_field: object) -> None:
    """OpenAI refuses stream_options without a stream."""
    assert "stream_options" not in json.loads(upstream_body({"model": "m", "stream": stream_field}, "x"))


def test_the_clients_body_is_not_changed() -> None:
    """The same body may be sent again to another provider."""
    body: dict[str, object] = {"model": "m", "stream": True, "stream_options": {"a": 1}}
    before = json.dumps(body)
    upstream_body(body, "x")
    assert json.dumps(body) == before


OPTIONS: list[dict[str, object]] = [
    {}, {"stream": True}, {"stream": False, "stream_options": {"include_usage": True}},
    {"stream": True, "stream_options": None}, {"stream": True, "stream_options": {"include_usage": False, "a": 1}},
    {"max_completion_tokens": 5}, {"max_completion_tokens": 5, "max_tokens": None},
]  # fmt: skip


@pytest.mark.parametrize("tells_usage", [False, True])
@pytest.mark.parametrize("options", OPTIONS)
@given(fields=JSON_OBJECTS)
def test_what_we_add_is_no_input(fields: dict[str, object], options: dict[str, object], tells_usage: bool) -> None:
    """The body is written once, for the provider; what it measures is the client's own, as compact JSON."""
    whole = {**fields, **options, "model": "mine/ö", "messages": [USER]}
    known = ModelFacts(
        fields={"stream_options": None, "seed": "random_seed"} if tells_usage else {}, output_field="max_tokens"
    )
    text = CHAT.written(whole, "their/model", known)
    assert client_size(text, whole, "their/model", known) == len(json_body.dump(whole))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"model": "m"},
        {"model": "", "messages": [USER]},
        {"model": "m" * 257, "messages": [USER]},
        {"model": "m", "messages": []},
        {"model": "m", "messages": [USER] * 10_001},
        {"model": 5, "messages": [USER]},
        {"model": "m", "messages": USER},
        {"model": "m", "messages": ["hi"]},
        {"model": "m", "messages": [{"content": "hi"}]},
        {"model": "m", "messages": [{"role": "user", "content": 5}]},
        {"model": "m", "messages": [{"role": "user", "content": ["hi"]}]},
        {"model": "m", "messages": [USER], "stream": "true"},
        {"model": "m", "messages": [USER], "stream": 1},
        {"model": "m", "messages": [USER], "stream_options": []},
        {"model": "m", "messages": [USER], "stream_options": {"include_usage": "yes"}},
    ],
)
def test_what_we_must_understand_is_checked(fields: dict[str, object]) -> None:
    """Strictly: a text is no boolean, and a number no text."""
    with pytest.raises(ValidationError):
        ChatRequest.model_validate(fields)


@pytest.mark.parametrize(
    "message",
    [
        USER,
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "tool_call_id": "1", "content": "2"},
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": "data:…"}}, {"type": "text", "text": "x"}],
        },
        {"role": "developer", "content": "x", "name": "y", "new_field": {}},
    ],
)
def test_every_kind_of_message_is_taken(message: dict[str, object]) -> None:
    """Texts, parts, tool calls and their results, and what is yet to come."""
    assert ChatRequest.model_validate({"model": "m", "messages": [message]}).messages


@pytest.mark.parametrize(
    ("options", "wanted"),
    [(None, False), ({}, False), ({"include_usage": None}, False), ({"include_usage": True}, True)],
)
def test_a_client_asks_for_usage_by_name(options: object, wanted: bool) -> None:
    """Only `include_usage: true` asks."""
    request = ChatRequest.model_validate({"model": "m", "messages": [USER], "stream_options": options})
    assert facts(request, {}).wants_usage is wanted


@given(st.lists(st.text(max_size=50), min_size=1, max_size=5))
def test_the_inputs_estimate_grows_with_its_text(texts: list[str]) -> None:
    """A quarter of its bytes, and a little for each message; parts count as text does."""
    plain = [{"role": "user", "content": text} for text in texts]
    parts = [{"role": "user", "content": [{"type": "text", "text": text}]} for text in texts]
    estimates = {input_estimate(ChatRequest.model_validate({"model": "m", "messages": m})) for m in (plain, parts)}
    assert estimates == {sum(-(-len(text.encode()) // 4) + 4 for text in texts)}
