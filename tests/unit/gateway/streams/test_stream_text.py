"""What is kept of a long stream: little, and all that its reading needs."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from lib.gateway.formats.openai.chat_answer import completion, condense, output_estimate, usage_of_stream
from lib.gateway.models import Completion
from lib.gateway.streams import sse
from lib.gateway.streams.stream_text import KEPT_BYTES, MOST_BYTES, StreamText
from lib.ledger.usage import Usage
from tests.unit.gateway.passing import Passing

USAGE = {"prompt_tokens": 10, "completion_tokens": 20}
DONE = b"data: [DONE]\n\n"


def event(value: object, end: bytes = b"\n\n") -> bytes:
    return b"data: " + json.dumps(value).encode() + end


def delta(text: str | None, finish: str | None = None, index: int = 0, end: bytes = b"\n\n", **more: object) -> bytes:
    said = {} if text is None else {"content": text}
    return event({"choices": [{"index": index, "delta": said, "finish_reason": finish}], **more}, end)


LONG = b"".join(delta(f" word{number % 7}", usage=None) for number in range(30_000))  # 3 MB


def held(size: int) -> None:
    assert size <= 2 * (sse.MOST_EVENT_BYTES + 10_000)


def heard(text: bytes, size: int = 4_000, most: int = MOST_BYTES) -> StreamText:
    """Return what is kept of a text that comes in pieces; at no time more than `most` and one of these."""
    kept = StreamText(condense, held)
    passing = Passing(kept, None)
    for place in range(0, len(text), size):
        passing.feed(text[place : place + size])
        assert len(passing.text) <= most + size
    kept.text = passing.text
    return kept


def read(kept: StreamText) -> tuple[Usage | None, Completion]:
    return usage_of_stream(kept.text, kept.earlier), completion(kept.text, kept.earlier)


@pytest.mark.parametrize("size", [1_000, 65_536, 3_000_000])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_long_streams_end_is_there_byte_for_byte(size: int, line_end: bytes) -> None:
    """From the begin of an event on, so that it can be read."""
    text = LONG.replace(b"\n", line_end) + b"data: {"
    kept = heard(text, size)
    assert text.endswith(line_end * 2 + kept.text) or size > len(text)
    assert kept.split(len(kept.text)) == (b"data: {", b"")
    assert KEPT_BYTES <= len(kept.text) <= MOST_BYTES + size


def test_a_short_one_is_kept_whole() -> None:
    """Nothing is estimated there but what always was."""
    kept = heard(LONG[:MOST_BYTES])
    assert (kept.text, kept.earlier.choices) == (LONG[:MOST_BYTES], {})


TOLD = event({"choices": [], "usage": USAGE})
ENDS: list[tuple[str, bytes, bytes, bytes, bool, Completion]] = [
    ("marked", b"", b"", delta("", "stop") + TOLD + DONE, True, Completion.MARKED),
    ("no mark", b"", b"", delta("", "stop") + TOLD, True, Completion.WHOLE),
    ("cut", b"", b"", b"", False, Completion.TRUNCATED),
    ("usage early", TOLD, b"", DONE, True, Completion.MARKED),
    ("its error", b"", b"", event({"error": {"message": "x"}}), False, Completion.FAILED),
    ("one choice ended early", delta("", "stop", 1), b"", delta("", "stop"), False, Completion.WHOLE),
    ("the other ended early", delta("", "stop"), b"", delta("", "stop", 1), False, Completion.TRUNCATED),
    ("all ended in the middle", b"", delta("", "stop"), event({"x": "y" * 1_000}) * 200, False, Completion.WHOLE),
]


@pytest.mark.parametrize(
    ("first", "middle", "last", "told", "end"), [row[1:] for row in ENDS], ids=[r[0] for r in ENDS]
)
def test_what_came_early_is_not_forgotten(
    first: bytes, middle: bytes, last: bytes, told: bool, end: Completion
) -> None:
    """The usage, which choices there were and which of them finished: as if all of the text were there."""
    text = first + LONG + middle + last
    whole = Usage(input=10, output=20) if told else None
    if first.startswith(b'data: {"choices": [{"index": 0'):  # what goes on behind its end has not ended with it
        text = first + LONG.replace(b'"index": 0', b'"index": 1') + delta("more", index=2) + last
    assert read(heard(text)) == (whole, end)


@pytest.mark.parametrize(
    ("name", "pieces"),
    [
        ("words", [delta(f" word{number % 7}") for number in range(30_000)]),
        ("long texts", [delta("x" * 900) for _ in range(3_000)]),
        ("every second empty", [delta("word" if number % 2 else "") for number in range(30_000)]),
        ("two choices", [delta("word", index=number % 2) for number in range(30_000)]),
        ("half thinking", [delta("a") for _ in range(20_000)] + [delta("abcdefgh" * 40) for _ in range(20_000)]),
    ],
)
def test_the_estimate_of_a_long_stream_is_close(name: str, pieces: list[bytes]) -> None:
    """Though only a sample of what is let go was read: within a twentieth of the count of all."""
    text = b"".join(pieces)
    kept = heard(text)
    exact = output_estimate(text)
    assert output_estimate(kept.text, kept.earlier) == pytest.approx(exact, rel=0.05), name


def test_long_events_among_short_ones_do_not_stand_for_all() -> None:
    """Arguments of tools between words: a place falls into a long event more often than one event in ten is long."""
    length = random.Random(1)  # noqa: S311 - the same each time, and no secret
    text = b"".join(delta("a" if length.random() > 0.1 else "x" * 400) for _ in range(30_000))
    kept = heard(text)
    assert output_estimate(kept.text, kept.earlier) == pytest.approx(output_estimate(text), rel=0.2)


@pytest.mark.parametrize(("size", "most"), [(10, 10), (2_000_000, 600_000)])
def test_what_an_event_has_said_counts_though_it_is_too_long_to_be_read(size: int, most: int) -> None:
    """The provider's error behind it is one in the middle: what was said until then is charged, and not nothing."""
    text = delta("x" * size) + event({"error": {"message": "x"}})
    kept = heard(text, 4_000, 2 * sse.MOST_EVENT_BYTES)
    assert completion(kept.text, kept.earlier) is Completion.FAILED
    assert size // 10 <= output_estimate(kept.text, kept.earlier) <= most


def test_an_event_without_an_end_is_not_held() -> None:
    """Past a megabyte its front goes: nobody will read it whole."""
    kept = heard(b"data: " + b"x" * 4_000_000 + b"\n\n" + TOLD, 10_000, 2 * sse.MOST_EVENT_BYTES)
    assert read(kept) == (Usage(input=10, output=20), Completion.TRUNCATED)


def test_many_choices_are_not_all_kept() -> None:
    """A provider that makes up a choice an event fills no memory."""
    made_up: Any = heard(b"".join(delta("a", "stop", index=number) for number in range(5_000)))
    assert len(made_up.earlier.choices) <= 128
