"""The most input tokens of a chat completion: the bytes of its JSON, and what is known to come on top.

Sources: https://platform.openai.com/docs/api-reference/chat/create for the fields, and for what messages add
https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken: 3 tokens a message, 1 for a name, 3 an answer.
The JSON's own names and marks are counted too, which is slack: a provider shows its model less than those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lib.gateway.bounds import Unproved, only
from lib.gateway.bounds_schemas import schema_tokens
from lib.gateway.models import ImageRule

_PER_REQUEST = 64  # 3 are stated; newer models add a few for their settings
_PER_MESSAGE = 16  # 4 are stated; tool calls and channels take a few more marks
_WITH_TOOLS = 512  # the headings around tools and schemas, and the tool that calls several at once

# fmt: off
_FIELDS = frozenset({
    "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n", "best_of",
    "temperature", "top_p", "top_k", "min_p", "stop", "presence_penalty", "frequency_penalty",
    "repetition_penalty", "logit_bias", "logprobs", "top_logprobs", "seed", "user", "metadata", "store", "tools",
    "tool_choice", "parallel_tool_calls", "functions", "function_call", "response_format", "reasoning_effort",
    "verbosity", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier", "modalities",
})
# fmt: on
# Other values of these cost more a token than the price table says.
_VALUES: Mapping[str, tuple[object, ...]] = {
    "prompt_cache_retention": ("in_memory", "in-memory"),
    "modalities": (["text"],),
}
_MESSAGE_FIELDS = frozenset(
    {"name", "tool_calls", "tool_call_id", "refusal", "function_call", "reasoning", "reasoning_content", "annotations"}
)
_PARTS = {
    "text": frozenset({"type", "text"}),
    "refusal": frozenset({"type", "refusal"}),
    "image_url": frozenset({"type", "image_url"}),
}
_IMAGE_FIELDS = frozenset({"url", "detail"})
_IMAGE_ADDRESSES = ("data:image/", "https://", "http://")
_TOOL_FIELDS = frozenset({"type", "function", "custom"})
_FUNCTION_FIELDS = frozenset({"name", "description", "parameters", "strict"})


@dataclass(frozen=True, slots=True)
class Message:
    """A message's content, and all its fields but that and the role."""

    content: str | list[dict[str, Any]] | None
    fields: Mapping[str, object]


def most_input_tokens(
    messages: Iterable[Message], json: Mapping[str, object], body_bytes: int, image_rule: ImageRule | None
) -> int:
    """Return the most input tokens. Raises Unproved where there is no telling.

    `body_bytes` is the length of the body as compact JSON.
    """
    _check_fields(json)
    total = _PER_REQUEST + body_bytes
    for message in messages:
        only(message.fields, _MESSAGE_FIELDS, "a message")
        total += _PER_MESSAGE
        for part in message.content if isinstance(message.content, list) else ():
            total += _part_tokens(part, image_rule)
    return (
        total
        + sum(_tools_tokens(json[name]) for name in ("tools", "functions") if json.get(name) is not None)
        + (_format_tokens(json.get("response_format")))
    )


def _check_fields(json: Mapping[str, object]) -> None:
    only(json, _FIELDS, "the body")
    for name, values in _VALUES.items():
        if json.get(name) is not None and json[name] not in values:
            raise Unproved(f"nobody can tell beforehand what the value of `{name}` costs")


def _part_tokens(part: dict[str, Any], image_rule: ImageRule | None) -> int:
    """Return what a part has beside its bytes in the body. An image's address has bytes there that no model reads."""
    kind = part.get("type")
    fields = _PARTS.get(kind) if isinstance(kind, str) else None
    if fields is None:
        raise Unproved("a message has a part that is neither text nor an image")
    only(part, fields, "a part of a message")
    return _image_tokens(part.get("image_url"), image_rule) if kind == "image_url" else 0


def _image_tokens(image: object, image_rule: ImageRule | None) -> int:
    if image_rule is None:
        raise Unproved("nobody states how many tokens an image has for this model")
    if not isinstance(image, dict):
        raise Unproved("an image has no address")
    only(image, _IMAGE_FIELDS, "an image")
    url, tokens = image.get("url"), image_rule.most(image.get("detail"))
    if not isinstance(url, str) or not url.lower().startswith(_IMAGE_ADDRESSES) or tokens is None:
        raise Unproved("an image has an address or a detail that is not known")
    return tokens - len(url.encode())


def _tools_tokens(tools: object) -> int:
    """Return what tools, or the older functions, have beside their bytes in the body."""
    if not isinstance(tools, list):
        raise Unproved("the tools are not a list")
    roots = [_parameters(tool) for tool in tools]
    return _WITH_TOOLS + len(tools) * _PER_MESSAGE + schema_tokens(tools, roots)


def _parameters(tool: object) -> object:
    if not isinstance(tool, dict):
        raise Unproved("a tool is not an object")
    if "type" not in tool:
        only(tool, _FUNCTION_FIELDS, "a function")
        return tool.get("parameters")
    if tool["type"] not in ("function", "custom"):
        raise Unproved("a tool is not a function: the provider charges for its work")
    only(tool, _TOOL_FIELDS, "a tool")
    function = tool.get("function")
    return function.get("parameters") if isinstance(function, dict) else None


def _format_tokens(answer_format: object) -> int:
    if answer_format is None:
        return 0
    schema = answer_format.get("json_schema") if isinstance(answer_format, dict) else None
    root = schema.get("schema") if isinstance(schema, dict) else None
    return _WITH_TOOLS + schema_tokens(answer_format, [root])
