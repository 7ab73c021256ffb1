"""OpenAI's chat completions: what an answer, whole or streamed, tells of its tokens and of its end.

Source: https://platform.openai.com/docs/api-reference/chat/object and /chat-streaming. Others tell their usage where
they like: in an event of its own, in the one that finishes, in a choice; before or behind other members, however long.
So whole events are looked at, from the last one on, and all of it takes time in proportion to the text.
"""

from __future__ import annotations

import re
from typing import Any
from zlib import crc32

from lib.gateway.bounds import MOST_CHOICES
from lib.gateway.formats.openai.errors import is_error
from lib.gateway.formats.openai.usage import estimate_tokens, read_usage
from lib.gateway.models import NOTHING_EARLIER, Completion, Earlier
from lib.gateway.streams import sse
from lib.kernel import json_body
from lib.kernel.errors import BadRequest
from lib.ledger.usage import Usage

# Inside a JSON string the quotes would be escaped, so these are never a part of a text.
USAGE = re.compile(rb'"usage"\s*:\s*\{')
FINISH = re.compile(rb'"finish_reason"\s*:\s*"[^"]')
_BEGUN = re.compile(rb'"choices"\s*:\s*\[\s*\{')
_ERROR = b'"error"'
_DONE = re.compile(rb"(?:^|[\r\n])data: ?\[DONE\]\s*$")
_MARK_BYTES = 64  # the end mark stands at the very end; looking for it further back would cost more than all the rest
# Nearly always the usage is in the last so many bytes. The event that stands at their begin is looked at whole.
_TAIL_BYTES = 16 * 1024
# As encoders write them. In text that is let go nothing else is looked for: a search for any white space costs more.
_USAGES = (b'"usage":{', b'"usage": {')
_FINISHES = (b'"finish_reason":"', b'"finish_reason": "')
_SAMPLES = 6


def usage_of_answer(answer: bytes) -> Usage | None:
    """Return the usage that a whole (not streamed) answer tells, or None."""
    # The client waits for this, and a whole answer is long to parse. With a brace before it, the end of an object is an
    # object: if it begins with a member of the outermost, and not of one inside.
    for found in USAGE.finditer(answer, max(0, len(answer) - _TAIL_BYTES)):
        end = _object(b"{" + answer[found.start() :])
        usage = read_usage(end.get("usage"), end.get("service_tier"))
        if usage and (usage.tier or b'"service_tier"' not in answer):
            return usage
    whole = _object(answer)
    return _told(whole) if whole else usage_of_stream(answer)  # a stream that nobody asked for


def answer_estimate(answer: bytes) -> int:
    """Return a count of the output tokens in a whole answer that does not tell: by the length of what it says."""
    whole = _object(answer)
    if not whole:
        return output_estimate(answer)
    return estimate_tokens(sum(_said(choice.get("message")) + _legacy(choice) for choice in _choices(whole)))


def usage_of_stream(text: bytes, earlier: Earlier = NOTHING_EARLIER) -> Usage | None:
    """Return the usage that a stream tells last, or None. Only events that have any are parsed."""
    tail = sse.event_at(text, max(0, len(text) - _TAIL_BYTES))
    return _last_usage(text, tail, len(text)) or _last_usage(text, 0, tail) or earlier.usage


def output_estimate(text: bytes, earlier: Earlier = NOTHING_EARLIER) -> int:
    """Return a count of the output tokens in a stream that broke off before it told.

    Providers send about a token an event, so the events with content are counted; where the text is longer than four
    bytes a token would allow, its length decides.
    """
    pieces = [_delta_bytes(_choices(_object(sse.data(text[start:end])))) for start, end in sse.events(text)]
    return max(earlier.events + sum(1 for piece in pieces if piece), estimate_tokens(earlier.said + sum(pieces)))


def condense(earlier: Earlier, text: bytes) -> Earlier:
    """Return what a stream told so far and in some more whole events, whose text is let go.

    A few of them are read, evenly spread, and stand for all: reading each would cost more than the whole relay.
    """
    usage = _last_usage(text, 0, len(text)) if any(begun in text for begun in _USAGES) else None
    choices = dict(earlier.choices)
    # A place falls into an event the likelier the longer it is, so that each is weighed by its length.
    with_content = said = 0.0
    shift = crc32(text) % len(text)  # events that take turns must not fall into step with the places
    for sample in range(_SAMPLES):
        begin = sse.event_at(text, (len(text) * sample + shift) // _SAMPLES + 1)
        end = sse.first_boundary(text, begin)
        event = _choices(_object(sse.data(text[begin:end])))
        content = _delta_bytes(event)
        share = len(text) / max(1, end - begin) / _SAMPLES
        with_content, said = with_content + bool(content) * share, said + content * share
        _note_choices(event, choices)
    for begun in _FINISHES:
        place = text.find(begun)
        while place >= 0:
            end = sse.first_boundary(text, place)
            _note_choices(_choices(_object(sse.data(text[sse.event_at(text, place) : end]))), choices)
            place = text.find(begun, end)
    return Earlier(
        usage or earlier.usage,
        choices,
        earlier.events + round(with_content),
        earlier.said + round(said),
    )


def completion(text: bytes, earlier: Earlier = NOTHING_EARLIER) -> Completion:
    """Tell how far a stream goes. An event that is not whole says nothing, but for the end mark."""
    end = sse.last_boundary(text)
    tail = text[sse.event_at(text, max(0, end - _TAIL_BYTES)) : end]
    if _ERROR in tail and _told_error(tail):
        return Completion.FAILED if earlier.choices or earlier.said or _BEGUN.search(text) else Completion.REFUSED
    if _DONE.search(text, max(0, len(text) - _MARK_BYTES)):
        return Completion.MARKED
    told = FINISH.search(text, 0, end) or any(earlier.choices.values())
    return Completion.WHOLE if told and _all_finished(text[:end], earlier) else Completion.TRUNCATED


def _last_usage(text: bytes, begin: int, end: int) -> Usage | None:
    """Return the usage of the last event between two places that tells one. Each event is parsed once at most."""
    event_begin = end
    for found in reversed(list(USAGE.finditer(text, begin, end))):
        if found.start() < event_begin:
            event_begin = sse.event_at(text, found.start())
            event = _object(sse.data(text[event_begin : sse.first_boundary(text, found.start())]))
            usage = _told(event)
            if usage:
                return usage
    return None


def _told(answer: dict[str, Any]) -> Usage | None:
    """Return the usage that an event or a whole answer tells: at its top, else in a choice (Moonshot), or as Groq."""
    places = [answer.get("usage"), *(choice.get("usage") for choice in _choices(answer))]
    groq = answer.get("x_groq")
    if isinstance(groq, dict):
        places.append(groq.get("usage"))
    found = (read_usage(place, answer.get("service_tier")) for place in places)
    return next((usage for usage in found if usage), None)


def _all_finished(events: bytes, earlier: Earlier) -> bool:
    """Tell whether every choice of a stream has told why it finished."""
    seen = dict(earlier.choices)
    for start, end in sse.events(events):
        _note_choices(_choices(_object(sse.data(events[start:end]))), seen)
    return all(seen.values())


def _note_choices(choices: list[dict[str, Any]], seen: dict[str, bool]) -> None:
    """Note the choices of an event, and which of them tell why they finished."""
    for choice in choices:
        index = str(choice.get("index"))
        if index in seen or len(seen) < MOST_CHOICES:
            seen[index] = seen.get(index, False) or bool(choice.get("finish_reason"))


def _told_error(tail: bytes) -> bool:
    """Tell whether one of the events is an error of the provider's own."""
    for start, end in sse.events(tail):
        event = sse.data(tail[start:end])
        if _ERROR in event and is_error(_object(event)):
            return True
    return False


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json_body.parse(text)
    except BadRequest:
        return {}
    return value if isinstance(value, dict) else {}


def _choices(event: dict[str, Any]) -> list[dict[str, Any]]:
    choices = event.get("choices")
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def _delta_bytes(choices: list[dict[str, Any]]) -> int:
    """Return the bytes of text, of reasoning and of tool arguments that one event adds to its choices."""
    return sum(_said(choice.get("delta")) + _legacy(choice) for choice in choices)


def _legacy(choice: dict[str, Any]) -> int:
    """Return the bytes that a choice of a legacy completion says: it has no message, and nothing but text."""
    return _text_bytes(choice.get("text"))


def _said(message: object) -> int:
    """Return the bytes of text, of reasoning and of tool arguments in a message, or in a piece of one."""
    if not isinstance(message, dict):
        return 0
    # Some name the reasoning in both ways, while they change from one to the other: it is the same text.
    reasoning = max(_text_bytes(message.get(name)) for name in ("reasoning", "reasoning_content"))
    calls = message.get("tool_calls")
    called = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    functions = [message.get("function_call"), *(call.get("function") for call in called)]
    custom = [call.get("custom") for call in called]
    arguments = sum(_text_bytes(function.get("arguments")) for function in functions if isinstance(function, dict))
    arguments += sum(_text_bytes(tool.get("input")) for tool in custom if isinstance(tool, dict))
    return _text_bytes(message.get("content")) + _text_bytes(message.get("refusal")) + reasoning + arguments


def _text_bytes(content: object) -> int:
    """Return the bytes of a text, or of a list of parts that have one. Mistral's `thinking` is a list inside a part."""
    if isinstance(content, str):
        return len(content.encode(errors="replace"))
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    inner = [piece for part in parts if isinstance(found := part.get("thinking"), list) for piece in found]
    texts = [part.get("text") for part in (*parts, *inner) if isinstance(part, dict)]
    return sum(len(text.encode(errors="replace")) for text in texts if isinstance(text, str))
