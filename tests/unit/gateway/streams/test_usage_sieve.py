"""Taking the usage event out of a stream: no byte too few, none too many, and none late."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.gateway.formats.openai.chat_answer import condense
from lib.gateway.streams import sse
from lib.gateway.streams.sse_ending import held_mark
from lib.gateway.streams.stream_text import StreamText
from lib.gateway.streams.usage_sieve import UsageSieve
from tests.unit.gateway.passing import Passing
from tests.unit.gateway.sse_reference import dispatched
from tests.unit.strategies import LINE_ENDS, PLACES, TEXT, cut, cut_at_line_ends

USAGE = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
TEMPTING = st.sampled_from(
    ['"finish_reason":"stop"', '\\"finish_reason\\":\\"', '"choices":[],"usage":{}', "\n\ndata: x\n\n"]
)
TEXTS = st.lists(TEXT | TEMPTING, max_size=5)


def chunk(delta: dict[str, object], finish: str | None = None, **more: object) -> dict[str, object]:
    """Return a chunk as OpenAI writes it."""
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


RESULTS = [{"url": f"https://example.com/{number}", "usage": {}} for number in range(3)]
# What the event looks like that tells the usage: no choices in one way or other, and whatever else a provider tells.
EVENTS: list[dict[str, object] | None] = [
    None,
    {"id": "c", "choices": [], "usage": USAGE},
    {"id": "c", "choices": None, "usage": USAGE},
    {"usage": USAGE, "id": "c"},
    {"id": "c", "usage": USAGE, "search_results": RESULTS, "choices": []},
]


class Stream:
    """A stream in one framing and one way to write JSON; `quiet` is what a client gets that did not ask for usage."""

    def __init__(
        self, texts: list[str], line_end: bytes, spaced: bool, usage: dict[str, object] | None = EVENTS[1]
    ) -> None:
        self.line_end = line_end
        self.spaced = spaced
        self.head = b"".join(self.event(chunk({"content": text}, usage=None)) for text in texts)
        self.finish = self.event(chunk({}, "stop", usage=None))
        self.usage = self.event(usage) if usage else b""
        self.done = b"data: [DONE]" + line_end * 2

    def event(self, value: object) -> bytes:
        text = json.dumps(value, ensure_ascii=False, separators=None if self.spaced else (",", ":"))
        return b"data: " + text.encode() + self.line_end * 2

    @property
    def whole(self) -> bytes:
        return self.head + self.finish + self.usage + self.done

    @property
    def quiet(self) -> bytes:
        return self.head + self.finish + self.done


STREAMS = st.builds(Stream, TEXTS, LINE_ENDS, st.booleans(), st.sampled_from(EVENTS))


def held(size: int) -> None:
    assert size <= 3 * sse.MOST_EVENT_BYTES


def sifting() -> Passing:
    return Passing(StreamText(condense, held), UsageSieve())


def split(passing: Passing) -> tuple[bytes, bytes]:
    heard = StreamText(condense, held)
    heard.text = passing.text
    return heard.split(passing.sent)


def fed(pieces: list[bytes]) -> list[bytes]:
    """Return what comes out for each piece, and at the end."""
    passing = sifting()
    outs = [passing.feed(piece) for piece in pieces]
    gone, held = split(passing)
    return [*outs, b"" if gone else held_mark(held)]


def without_usage(stream: bytes) -> list[str]:
    """Return the events of a stream that a client sees, but for the usage."""
    return [text for text in dispatched(stream) if text == "[DONE]" or json.loads(text).get("choices")]


@given(STREAMS, PLACES)
def test_however_a_stream_is_cut_only_the_usage_event_is_missing(stream: Stream, places: list[int]) -> None:
    """The bytes of all other events are handed on untouched."""
    assert b"".join(fed(cut(stream.whole, places))) == stream.quiet


@given(STREAMS, PLACES)
def test_a_cut_inside_a_line_end_is_no_different(stream: Stream, places: list[int]) -> None:
    """A read may end between CR and LF, or between the two ends of an event."""
    pieces = cut_at_line_ends(stream.whole, places)
    out = b"".join(fed(pieces))
    assert dispatched(out) == dispatched(stream.quiet)
    assert out == stream.quiet


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_there_is_no_place_where_a_cut_matters(line_end: bytes) -> None:
    """Every place of a short stream, one after the other: between CR and LF too."""
    stream = Stream(["hi"], line_end, spaced=False)
    wrong = [place for place in range(len(stream.whole)) if b"".join(fed(cut(stream.whole, [place]))) != stream.quiet]
    assert [stream.whole[place - 10 : place] for place in wrong] == []


@given(STREAMS)
def test_byte_by_byte_it_is_the_same(stream: Stream) -> None:
    """The smallest pieces that there are."""
    assert b"".join(fed([stream.whole[index : index + 1] for index in range(len(stream.whole))])) == stream.quiet


@given(STREAMS, PLACES)
def test_a_client_sees_the_events_of_the_stream_without_the_usage(stream: Stream, places: list[int]) -> None:
    """As it parses them, which is what counts: the same events, none of them the usage."""
    assert dispatched(b"".join(fed(cut(stream.whole, places)))) == dispatched(stream.quiet)


@given(STREAMS, PLACES)
def test_what_has_gone_out_is_always_the_start_of_the_answer(stream: Stream, places: list[int]) -> None:
    """Bytes that are out can't be taken back, so at no time may one be wrong."""
    out = b""
    for piece in fed(cut(stream.whole, places)):
        out += piece
        assert stream.quiet.startswith(out)


@given(STREAMS, PLACES)
def test_before_the_finish_nothing_waits(stream: Stream, places: list[int]) -> None:
    """Every read is handed on as it is, the very same object, half events included."""
    stream_filter = sifting()
    for piece in cut(stream.head, places):
        assert stream_filter.feed(piece) is piece


@given(STREAMS, PLACES)
def test_after_the_finish_nothing_but_an_event_under_way_waits(stream: Stream, places: list[int]) -> None:
    """Each whole event goes on in the read that completes it."""
    stream_filter, taken, out = sifting(), b"", b""
    for piece in cut(stream.whole, places):
        taken += piece
        out += stream_filter.feed(piece)
        assert dispatched(out) == without_usage(taken)


@given(STREAMS, PLACES)
def test_it_knows_what_the_client_has_of_the_event_under_way(stream: Stream, places: list[int]) -> None:
    """So that a late error can be made to fit; line ends before an event are nothing."""
    stream_filter, out = sifting(), b""
    for piece in cut(stream.whole, places):
        out += stream_filter.feed(piece)
        assert split(stream_filter)[0].lstrip(b"\r\n") == out[sse.last_boundary(out) :].lstrip(b"\r\n")


@given(STREAMS, PLACES, st.integers(0, 5000))
def test_a_stream_that_breaks_off_is_handed_on_as_far_as_it_goes(stream: Stream, places: list[int], end: int) -> None:
    """No usage event and no half one comes out; an end mark that lacks only its blank line gets it."""
    broken = stream.whole[: end % (len(stream.whole) + 1)]
    wanted = without_usage(broken)
    if broken.rstrip(b"\r\n").endswith(b"data: [DONE]") and "[DONE]" not in wanted:
        wanted.append("[DONE]")
    out = b"".join(fed(cut(broken, places)))
    assert dispatched(out) == wanted


FINISHING: list[dict[str, object]] = [
    chunk({}, "stop", usage=USAGE),
    chunk({}, "stop", usage=USAGE, x_groq={"id": "r", "usage": USAGE}),
    {"x": {"usage": USAGE}, "usage": USAGE, **chunk({"content": '"usage":{"a":1}, ü'}, "length")},
    {**chunk({}, "stop"), "citations": RESULTS, "usage": {**USAGE, "note": "}\u2028é"}, "z": 1},
    {"usage": USAGE, **chunk({"content": "hi"}, "stop")},
]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("spaced", [False, True])
@pytest.mark.parametrize("finish", FINISHING, ids=range(len(FINISHING)))
def test_usage_in_the_finish_event_is_taken_out_of_it(finish: dict[str, object], spaced: bool, line_end: bytes) -> None:
    """As if it had never been there: every other byte, look-alikes inside too, is the same, however it is cut."""
    stream = Stream(["hi"], line_end, spaced, usage=None)
    text = stream.head + stream.event(finish) + stream.done
    quiet = stream.event({name: value for name, value in finish.items() if name != "usage"})
    for size in (500, len(text)):
        out = b"".join(fed([text[index : index + size] for index in range(0, len(text), size)]))
        # Where the first half had gone out when the finish was seen, the member may stay: a byte can't be taken back.
        assert out == stream.head + quiet + stream.done or (size == 500 and out == text)


def test_byte_by_byte_usage_behind_the_choices_is_taken_out_too() -> None:
    """As Groq, DeepSeek and Mistral write it: by then the finish has been seen."""
    stream = Stream(["hi"], b"\n", spaced=False, usage=None)
    text = stream.head + stream.event(FINISHING[0]) + stream.done
    quiet = stream.head + stream.event(chunk({}, "stop")) + stream.done
    assert b"".join(fed([text[index : index + 1] for index in range(len(text))])) == quiet


def test_a_running_total_stays_whole() -> None:
    """Perplexity tells it in each event: without the last, a client would hold an older one for the sum."""
    stream = Stream([], b"\n", spaced=False, usage=None)
    text = b"".join(stream.event(chunk({"content": "a"}, finish, usage=USAGE)) for finish in (None, None, "stop"))
    for size in (60, 1_000):
        assert b"".join(fed([text[index : index + size] for index in range(0, len(text), size)])) == text


@pytest.mark.parametrize("spaced", [False, True])
def test_a_usage_event_that_no_finish_precedes_is_taken_out_too(spaced: bool) -> None:
    """Of a server that never says why it has finished, however it writes its JSON."""
    stream = Stream([], b"\n", spaced, usage=None)
    text = stream.event(chunk({"content": "a"}))
    usage = stream.event({"choices": [], "usage": USAGE})
    assert b"".join(fed([text, usage, stream.done])) == text + stream.done


def test_a_text_that_quotes_the_mark_does_not_end_the_quiet_time() -> None:
    """Inside a JSON string its quotes are escaped."""
    stream = Stream(['{"finish_reason":"stop"}', '\\"finish_reason\\":\\"'], b"\n", spaced=False)
    stream_filter = sifting()
    assert stream_filter.feed(stream.head) is stream.head
    half = stream.event(chunk({"content": "more"}))[:20]
    assert stream_filter.feed(half) is half


def test_a_finish_reason_of_null_does_not_either() -> None:
    """OpenAI writes it into every chunk."""
    stream = Stream(["a", "b"], b"\n", spaced=True)
    assert b'"finish_reason": null' in stream.head
    stream_filter = sifting()
    assert stream_filter.feed(stream.head + b"data: half") == stream.head + b"data: half"


@pytest.mark.parametrize(
    "event",
    [
        {"choices": [], "usage": None},
        {"choices": [], "usage": 5},
        {"choices": []},
        {"error": {"message": "overloaded"}, "usage": USAGE},
        {"choices": {}, "usage": USAGE},
        {"choices": [{}], "usage": USAGE},
        {"data": {"choices": [], "usage": USAGE}},
        [{"choices": [], "usage": USAGE}],
        {"choices": [], "prompt_filter_results": []},
        b'{"choices": [] ,"usage":{',
        b'"usage" "choices":[]',
    ],
)
def test_only_the_usage_event_is_one(event: object) -> None:
    """No choices and a usage object, both at the top, and no error; everything else stays, what is no JSON too."""
    stream = Stream(["hi"], b"\n", spaced=False)
    text = b"data: " + (event if isinstance(event, bytes) else json.dumps(event).encode()) + b"\n\n"
    assert b"".join(fed([stream.finish, text, stream.done])) == stream.finish + text + stream.done


@pytest.mark.parametrize("finished", [False, True])
def test_an_event_without_an_end_is_not_held(finished: bool) -> None:
    """Past a megabyte it goes on as it is, and the filter's memory stays what it is: an isolate has 128 MB."""
    stream_filter, stream = sifting(), Stream(["hi"], b"\n", spaced=False)
    head = stream.finish if finished else stream.head
    event = stream.event({"usage": USAGE, "x": "y" * 3_000_000, "choices": []})
    pieces = [event[index : index + 10_000] for index in range(0, len(event), 10_000)]
    sent = stream_filter.feed(head)
    for piece in pieces:
        sent += stream_filter.feed(piece)
        assert len(stream_filter.text) <= 2 * sse.MOST_EVENT_BYTES + 20_000
    assert sent + stream_filter.feed(stream.done) == head + event + stream.done
