"""OpenAI's chat completions: what we read of a request, and what an answer tells of its tokens.

Source: https://platform.openai.com/docs/api-reference/chat and /chat-streaming. Fields that are not named here pass
through as they came.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from lib.gateway import sse
from lib.gateway.bounds import MOST_CHOICES, MOST_TOKENS, Bound, Unproved, largest
from lib.gateway.bounds_images import ImageRule
from lib.gateway.formats.openai_chat_input import Message, most_input_tokens
from lib.gateway.formats.openai_usage import estimate_tokens, read_usage
from lib.gateway.models import Completion, OutputField, Usage
from lib.http import json_body
from lib.http.errors import BadRequest
from lib.text import PRINTABLE

_STRICT = ConfigDict(strict=True, extra="allow")
# Inside a JSON string the quotes would be escaped, so these are never a part of a text.
_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_ERROR = re.compile(rb'"error"\s*:')
FINISH = re.compile(rb'"finish_reason"\s*:\s*"[^"]')
_DONE = re.compile(rb"(?:^|[\r\n])data: ?\[DONE\]\s*$")
_OUTPUT_LIMITS: tuple[OutputField, OutputField] = ("max_tokens", "max_completion_tokens")
# OpenAI's reasoning models refuse `max_tokens`; every other server knows it, and many know only it. A server for many
# vendors' models has the vendor before the name.
_REASONING = re.compile(
    r"(?:.*/)?(?:ft:)?(?:o[1-9]|gpt-(?:[5-9]|[1-9][0-9])|gpt-rosalind|chat-latest|daybreak-|computer-use)",
    re.IGNORECASE,
)
_MARK_BYTES = 64  # the end mark stands at the very end; looking for it further back would cost more than all the rest
_TAIL_BYTES = 16 * 1024  # far more than the usage event and the end mark take


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

    @property
    def wants_usage_event(self) -> bool:
        """Tell whether the client asked for the usage event of a stream."""
        return bool(self.stream_options and self.stream_options.include_usage)


def upstream_body(
    body: dict[str, object],
    upstream_model: str,
    granted_output: int | None = None,
    output_field: OutputField | None = None,
) -> bytes:
    """Return the body for the provider: its own name of the model and, for a stream, the request for usage.

    `granted_output` is the most output tokens of a choice. It is put in only where the client set no limit itself, as
    `output_field`; without one, as the model's name tells.
    """
    changed = {**body, "model": upstream_model}
    if body.get("stream"):
        options = body.get("stream_options")
        changed["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    if granted_output is not None and all(body.get(name) is None for name in _OUTPUT_LIMITS):
        changed[output_field or _OUTPUT_LIMITS[bool(_REASONING.match(upstream_model))]] = granted_output
    return json_body.dump(changed)


def bound(
    request: ChatRequest, json: dict[str, object], body_bytes: int | None, image_rule: ImageRule | None = None
) -> Bound:
    """Return the most that a call may use. Raises BadRequest where a number that decides it is none.

    `json` is the whole body and `body_bytes` its length, None to measure it here. `image_rule` is the model's, as its
    provider tells it; without one a call with images has no bound. Reasoning counts as output, within the same limit.
    """
    wanted = largest(json, _OUTPUT_LIMITS, MOST_TOKENS)
    choices = largest(json, ("n", "best_of"), MOST_CHOICES) or 1
    messages = (Message(message.content, message.model_extra or {}) for message in request.messages)
    try:
        tokens = most_input_tokens(messages, json, body_bytes, image_rule)
    except Unproved as unproved:
        return Bound(None, wanted, choices, has_output=True, reason=str(unproved))
    return Bound(tokens, wanted, choices, has_output=True)


def service_tier(json: Mapping[str, object]) -> str | None:
    """Return the tier that a request asks for, None where it does not say; "" for what can be none."""
    tier = json.get("service_tier")
    return tier if tier is None or isinstance(tier, str) else ""


def input_estimate(request: ChatRequest) -> int:
    """Return a rough count of the input tokens, for a call whose provider never told."""
    return sum(estimate_tokens(_content_bytes(message.content)) + 4 for message in request.messages)


def usage_of_answer(answer: bytes) -> Usage | None:
    """Return the usage that a whole (not streamed) answer tells, or None."""
    # The client waits for this, and a whole answer is long to parse. With a brace before it, the end of an object is an
    # object: if it begins with a member of the outermost, and not of one inside.
    for found in _USAGE.finditer(answer, max(0, len(answer) - _TAIL_BYTES)):
        end = _object(b"{" + answer[found.start() :])
        usage = read_usage(end.get("usage"), end.get("service_tier"))
        if usage and (usage.tier or b'"service_tier"' not in answer):
            return usage
    told = _object(answer)
    return read_usage(told.get("usage"), told.get("service_tier"))


def usage_of_stream(text: bytes) -> Usage | None:
    """Return the usage that a stream tells last, or None. Only events near its end that have any are parsed."""
    for found in reversed(list(_USAGE.finditer(text, max(0, len(text) - _TAIL_BYTES)))):
        event = _object(_data_around(text, found.start()))
        usage = read_usage(event.get("usage"), event.get("service_tier"))
        if usage:
            return usage
    return None


def output_estimate(text: bytes) -> int:
    """Return a count of the output tokens in a stream that broke off before it told.

    Providers send about a token an event, so the events with content are counted; where the text is longer than four
    bytes a token would allow, its length decides.
    """
    pieces = [_delta_bytes(sse.data(text[start:end])) for start, end in sse.events(text)]
    return max(sum(1 for piece in pieces if piece), estimate_tokens(sum(pieces)))


def completion(text: bytes) -> Completion:
    """Tell how far a stream goes. An event that is not whole says nothing, but for the end mark."""
    events = text[: sse.last_boundary(text)]
    tail = events[-_TAIL_BYTES:]
    if _ERROR.search(tail) and _told_error(tail):
        return Completion.FAILED
    if _DONE.search(text, max(0, len(text) - _MARK_BYTES)):
        return Completion.MARKED
    return Completion.WHOLE if FINISH.search(tail) and _all_finished(events) else Completion.TRUNCATED


def _all_finished(events: bytes) -> bool:
    """Tell whether every choice of a stream has told why it finished."""
    seen: dict[object, bool] = {}
    for start, end in sse.events(events):
        for choice in _choices(_object(sse.data(events[start:end]))):
            index = str(choice.get("index"))
            seen[index] = seen.get(index, False) or bool(choice.get("finish_reason"))
    return all(seen.values())


def _told_error(tail: bytes) -> bool:
    """Tell whether one of the events is an error of the provider's own."""
    for start, end in sse.events(tail):
        event = sse.data(tail[start:end])
        if b'"error"' in event and _object(event).get("error"):
            return True
    return False


def _data_around(text: bytes, place: int) -> bytes:
    """Return the data of the event that stands at `place`."""
    return sse.data(text[sse.last_boundary(text[:place]) : sse.first_boundary(text, place)])


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json_body.parse(text)
    except BadRequest:
        return {}
    return value if isinstance(value, dict) else {}


def _choices(event: dict[str, Any]) -> list[dict[str, Any]]:
    choices = event.get("choices")
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def _content_bytes(content: object) -> int:
    if isinstance(content, str):
        return len(content.encode())
    if isinstance(content, list):
        return sum(_content_bytes(part.get("text")) for part in content if isinstance(part, dict))
    return 0


def _delta_bytes(event: bytes) -> int:
    """Return the bytes of text, of reasoning and of tool arguments that one event adds."""
    total = 0
    for choice in _choices(_object(event)):
        delta = choice.get("delta")
        if isinstance(delta, dict):
            total += sum(_content_bytes(delta.get(name)) for name in ("content", "reasoning_content", "refusal"))
            calls = delta.get("tool_calls")
            for call in calls if isinstance(calls, list) else ():
                function = call.get("function") if isinstance(call, dict) else None
                total += _content_bytes(function.get("arguments")) if isinstance(function, dict) else 0
    return total
