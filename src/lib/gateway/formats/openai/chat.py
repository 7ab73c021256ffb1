"""OpenAI's chat completions: what we read of a request. `chat_answer` reads the answers.

Source: https://platform.openai.com/docs/api-reference/chat and /chat-streaming. Fields that are not named here pass
through as they came.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from lib.gateway.bounds import MOST_CHOICES, MOST_TOKENS, Bound, Unproved, largest
from lib.gateway.formats.format import Facts, Format, Json, StreamFormat
from lib.gateway.formats.openai import chat_answer, errors
from lib.gateway.formats.openai.chat_input import Message, most_input_tokens
from lib.gateway.formats.openai.dialect import OPENAI
from lib.gateway.formats.openai.fields import by_vendor
from lib.gateway.formats.openai.usage import estimate_tokens
from lib.gateway.formats.openai.user import end_user
from lib.gateway.models import ModelFacts, OutputField
from lib.gateway.streams.sse_ending import error_ending, held_mark
from lib.gateway.streams.usage_sieve import UsageSieve
from lib.kernel import json_body
from lib.kernel.text import PRINTABLE

_STRICT = ConfigDict(strict=True, extra="allow")
_OUTPUT_LIMITS: tuple[OutputField, OutputField] = ("max_tokens", "max_completion_tokens")
# OpenAI's reasoning models refuse `max_tokens`; every other server knows it, and many know only it. A server for many
# vendors' models has the vendor before the name.
_REASONING = re.compile(
    r"(?:.*/)?(?:ft:)?(?:o[1-9]|gpt-(?:[5-9]|[1-9][0-9])|gpt-rosalind|chat-latest|daybreak-|computer-use)",
    re.IGNORECASE,
)


class ChatMessage(BaseModel):
    """One message. `content` is text, a list of parts, or null where the message only calls tools."""

    model_config = _STRICT
    role: Annotated[str, Field(min_length=1, max_length=64)]
    content: str | list[dict[str, Any]] | None = None


class StreamOptions(BaseModel):
    """Options of a stream. With `include_usage` the last event before the end mark tells the tokens used."""

    model_config = _STRICT
    include_usage: bool | None = None


class ChatRequest(BaseModel):
    """A chat completion to make. Every other field of OpenAI's API is accepted and handed on untouched."""

    model_config = _STRICT | {"title": "ChatCompletionRequest"}
    model: Annotated[str, Field(min_length=1, max_length=256, pattern=PRINTABLE, examples=["sim/chat"])]
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=10_000)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None


def facts(request: ChatRequest, json: Json) -> Facts:
    """Return what a request says of itself."""
    wants_usage = bool(request.stream_options and request.stream_options.include_usage)
    told = end_user(json), service_tier(json), wants_usage
    return Facts(request.model, bool(request.stream), input_estimate(request), *told)


def written(json: Json, model: str, known: ModelFacts) -> bytes:
    """Return the body for the provider: its own name of the model, the answer's most under the name that it heeds and,
    for a stream, the request for usage.
    """
    changes, left_out = _changes(json, model, known)
    changed = {**json, **changes}
    for name in left_out:
        changed.pop(name, None)
    return json_body.dump(changed)


def granted(text: bytes, json: Json, model: str, known: ModelFacts, output: int) -> bytes:
    """Return the body with `output`, the most tokens of a choice, where the client set no limit itself.

    It is put in as the model's `output_field`; without one, as its name tells.
    """
    if any(json.get(name) is not None for name in _OUTPUT_LIMITS):
        return text
    field = known.output_field or _OUTPUT_LIMITS[bool(_REASONING.match(model))]
    if field in json:  # as null: a second one would be anybody's guess
        return written({**json, field: output}, model, known)
    return b"".join((memoryview(text)[:-1], f',"{field}":{output}}}'.encode()))  # not by one more copy of all of it


def bound(request: ChatRequest, json: Json, text: bytes, model: str, known: ModelFacts) -> Bound:
    """Return the most that a call may use. Raises BadRequest where a number that decides it is none.

    Without the model's rule for images a call with some has no bound. Reasoning counts as output, within its limit.
    """
    wanted = largest(json, _OUTPUT_LIMITS, MOST_TOKENS)
    choices = largest(json, ("n", "best_of"), MOST_CHOICES) or 1
    messages = (Message(message.content, message.model_extra or {}) for message in request.messages)
    try:
        tokens = most_input_tokens(messages, json, client_size(text, json, model, known), known.image_rule)
    except Unproved as unproved:
        return Bound(None, wanted, choices, has_output=True, reason=str(unproved))
    return Bound(tokens, wanted, choices, has_output=True)


def client_size(text: bytes, json: Json, model: str, known: ModelFacts) -> int:
    """Return how long the client's own body is, as compact JSON, by the provider's: what we add is no input."""
    changes, left_out = _changes(json, model, known)
    own = {name: json[name] for name in {*changes, *left_out} if name in json}
    return len(text) - _members(changes) + _members(own)


def _changes(json: Json, model: str, known: ModelFacts) -> tuple[Json, list[str]]:
    """Return the members that go to the provider in place of the client's, and the names of those that do not go.

    Who can't be asked for a stream's usage tells it unasked. A limit under the name that is not known to be heeded
    gets the other: a provider may pass over it without a word, and then nothing would bound the answer.
    """
    changes, left_out = by_vendor(json, known) if known.fields else ({}, [])
    changes["model"] = model
    if json.get("stream") and "stream_options" not in known.fields:
        options = json.get("stream_options")
        changes["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    if (heeded := known.output_field) is not None and json.get(heeded) is None:
        other = _OUTPUT_LIMITS[heeded == _OUTPUT_LIMITS[0]]
        if json.get(other) is not None:
            changes[heeded] = json[other]
            left_out.append(other)
    return changes, left_out


def _members(members: Json) -> int:
    """Return the bytes of some members in an object, each with a comma."""
    return len(json_body.dump(members)) - 1 if members else 0


def reasons_unseen(model: str) -> bool:
    """Tell whether a provider's model thinks without showing it, before the first of its text."""
    return bool(_REASONING.match(model))


def service_tier(json: Json) -> str | None:
    """Return the tier that a request asks for, None where it does not say; "" for what can be none."""
    tier = json.get("service_tier")
    return tier if tier is None or isinstance(tier, str) else ""


def input_estimate(request: ChatRequest) -> int:
    """Return a rough count of the input tokens, for a call whose provider never told."""
    return sum(estimate_tokens(_content_bytes(message.content)) + 4 for message in request.messages)


def _content_bytes(content: object) -> int:
    if isinstance(content, str):
        return len(content.encode())
    if isinstance(content, list):
        return sum(_content_bytes(part.get("text")) for part in content if isinstance(part, dict))
    return 0


CHAT = Format(
    name="chat.completions",
    dialect=OPENAI,
    facts=facts,
    written=written,
    bound=bound,
    granted=granted,
    usage=chat_answer.usage_of_answer,
    output_estimate=chat_answer.answer_estimate,
    told_error=errors.told_error,
    error=errors.error,
    stream=StreamFormat(
        usage=chat_answer.usage_of_stream,
        output_estimate=chat_answer.output_estimate,
        completion=chat_answer.completion,
        condense=chat_answer.condense,
        sieve=UsageSieve,
        held_mark=held_mark,
        broken=lambda unfinished, message, code: error_ending(unfinished, errors.inner(message, "server_error", code)),
    ),
    reasons_unseen=reasons_unseen,
)
