"""Server-sent events as bytes: the quick reading agrees with the standard, however a stream is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.gateway.streams import sse
from tests.unit.gateway.sse_reference import dispatched, lines_of
from tests.unit.strategies import LINE_ENDS

NO_LINE_ENDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=20)
FIELDS = st.sampled_from(
    ["data:", "data: ", "data:  ", "event: ", ": ", ":", "id: ", "retry: ", "dataset: ", "Data: ", ""]
)
LINES = st.lists(st.just("") | st.builds(str.__add__, FIELDS, NO_LINE_ENDS), max_size=12)


def written(lines: list[str], ends: list[bytes]) -> bytes:
    """Return the lines as a stream, each with its own kind of end."""
    return b"".join(line.encode() + end for line, end in zip(lines, ends, strict=True))


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Any stream: whole lines with any ends, mixed too, and perhaps a line under way."""
    lines = draw(LINES)
    ends = draw(st.lists(LINE_ENDS, min_size=len(lines), max_size=len(lines)))
    return written(lines, ends) + draw(st.just(b"") | NO_LINE_ENDS.map(str.encode))


def read(stream: bytes) -> list[str]:
    """Return the data of all events, as the code under test reads them."""
    return [text.decode() for start, end in sse.events(stream) if (text := sse.data(stream[start:end]))]


@given(streams())
def test_it_agrees_with_the_standard(stream: bytes) -> None:
    """The same events with the same data; an event of empty data tells nothing and is left out by both."""
    assert read(stream) == [text for text in dispatched(stream) if text]


@given(LINES, LINE_ENDS, LINE_ENDS)
def test_the_kind_of_line_end_does_not_matter(lines: list[str], one: bytes, other: bytes) -> None:
    """LF, CRLF or CR: the events are the same."""
    assert read(written(lines, [one] * len(lines))) == read(written(lines, [other] * len(lines)))


@given(streams())
def test_events_lie_side_by_side(stream: bytes) -> None:
    """They begin at the start of the stream, and nothing lies between two."""
    spans = list(sse.events(stream))
    assert [start for start, _ in spans] == [0, *(end for _, end in spans)][: len(spans)]
    assert all(start < end <= len(stream) for start, end in spans)


@given(streams())
def test_the_last_boundary_divides_what_is_whole_from_what_is_under_way(stream: bytes) -> None:
    """Before it lie all events; behind it there is none, and it begins with a new event."""
    boundary = sse.last_boundary(stream)
    assert dispatched(stream[:boundary]) == dispatched(stream)
    assert dispatched(stream[boundary:]) == []
    assert dispatched(stream[:boundary] + b"data: x\n\n") == [*dispatched(stream), "x"]


@given(streams())
def test_the_last_line_is_what_has_no_end_yet(stream: bytes) -> None:
    """Nothing, right behind a line end."""
    line = sse.last_line(stream)
    assert stream.endswith(line)
    assert len(lines_of((stream + b"\n").decode())) == len(lines_of(stream.decode())) + (
        1 if line or not stream.endswith(b"\r") else 0
    )
    assert not set(line) & set(b"\r\n")


@pytest.mark.parametrize(
    "character", ["\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\x00", "\ufeff"]
)
def test_what_breaks_lines_elsewhere_is_plain_data(character: str) -> None:
    """Python's splitlines breaks at these; a text that holds one must not fall apart."""
    text = f"one{character}two"
    stream = f"data: {text}\n\ndata: after\n\n".encode()
    assert read(stream) == [text, "after"]
    assert sse.last_boundary(stream) == len(stream)


def test_data_on_several_lines_is_joined() -> None:
    """By a line feed, and only the first space after the colon is dropped."""
    assert sse.data(b"event: x\r\ndata: a\r\ndata:b\r\ndata:  c\r\ndata:\r\n\r\n") == b"a\nb\n c\n"


@pytest.mark.parametrize("event", [b": ping\n\n", b"event: x\n\n", b"\n\n", b"", b"dataset: x\n\n", b" data: x\n\n"])
def test_an_event_without_data_has_none(event: bytes) -> None:
    """Comments, other fields, and what only looks like data."""
    assert sse.data(event) == b""


@given(streams(), st.integers(0, 400))
def test_an_event_that_is_whole_stays_so_whatever_comes_next(stream: bytes, place: int) -> None:
    """A stream may be cut anywhere: the events of its first part are the first events of the whole."""
    first = stream[:place]
    try:
        first.decode()
    except UnicodeDecodeError:
        return
    assert read(stream)[: len(read(first))] == read(first)


@given(streams())
def test_the_first_boundary_ends_the_event_at_a_place(stream: bytes) -> None:
    """From an event's start it is that event's end; from one under way, the end of what there is."""
    for start, end in sse.events(stream):
        assert sse.first_boundary(stream, start) == end
    assert sse.first_boundary(stream, max([0, *(end for _, end in sse.events(stream))])) == len(stream)


@given(streams(), st.integers(0, 400), st.sampled_from([0, 5_000]))
def test_the_event_at_a_place_begins_behind_the_one_before(stream: bytes, place: int, width: int) -> None:
    """Wherever in it the place is, however long it is: cut there, no event is lost, and none ends before the place."""
    stream = stream.replace(b"data:", b"data:" + b"x" * width)
    place = min(place + width, len(stream))
    begin = sse.event_at(stream, place)
    assert dispatched(stream[:begin]) + dispatched(stream[begin:]) == dispatched(stream)
    assert not list(sse.events(stream[begin:place]))
