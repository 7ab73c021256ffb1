"""OpenAI's chat completions: what we read of a request. `openai_chat_answer` reads the answers.

Source: https://platform.openai.com/docs/api-reference/chat and /chat-streaming. Fields that are not named here pass
through as they came.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from lib.gateway.bounds import MOST_CHOICES, MOST_TOKENS, Bound, Unproved, largest
from lib.gateway.bounds_images import ImageRule
from lib.gateway.formats.openai_chat_input import Message, most_input_tokens
from lib.gateway.formats.openai_usage import estimate_tokens
from lib.gateway.models import OutputField
from lib.http import json_body
from lib.text import PRINTABLE

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


def reasons_unseen(model: str) -> bool:
    """Tell whether a provider's model thinks without showing it, before the first of its text."""
    return bool(_REASONING.match(model))


def service_tier(json: Mapping[str, object]) -> str | None:
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
