"""The deployment's key is in no answer, however it is written and wherever it is split; all else stays as it was."""

from __future__ import annotations

import json
import re
import string
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.gateway.redaction import REDACTED
from lib.gateway.streams.hiding import Hidden, HidingFilter
from lib.gateway.streams.upstream import StreamEnd
from tests.unit.gateway.calls import SECRET, Calling
from tests.unit.gateway.fake_upstream import EVENTS, FakeAnswer
from tests.unit.gateway.providers.configuring import provider
from tests.unit.strategies import PLACES

KEY = "pass/word+key=&<>'42"
SECRETS = st.text(string.ascii_letters + string.digits + "-_.+/=&<>'", min_size=4, max_size=40).filter(
    lambda secret: secret not in REDACTED.decode()
)
WRITTEN = [
    KEY,
    KEY.replace("/", "\\/"),
    KEY.replace("/", "\\u002f"),
    "".join(f"\\u{ord(one):04X}" if one in "+=&<>'" else one for one in KEY),
    "".join(f"\\u{ord(one):04x}" if one in "+=&<>'" else one for one in KEY).replace("/", "\\/"),
]


def pieces_of(text: bytes, places: list[int]) -> list[bytes]:
    cuts = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[begin:end] for begin, end in pairwise(cuts)]


def through(one: HidingFilter, pieces: list[bytes]) -> bytes:
    return b"".join([*(one.feed(piece) for piece in pieces), one.end()])


@given(secret=SECRETS, around=st.text(max_size=30), places=PLACES, times=st.integers(1, 3))
def test_a_secret_never_survives_wherever_it_is_split(secret: str, around: str, places: list[int], times: int) -> None:
    """Between two reads, or many, and right beside itself."""
    text = (around + secret * times + around).encode()
    assert secret.encode() not in through(HidingFilter(Hidden([secret])), pieces_of(text, places))


@pytest.mark.parametrize("written", WRITTEN)
@given(places=PLACES)
def test_however_an_encoder_writes_it(written: str, places: list[int]) -> None:
    """What a client would read does not hold it."""
    text = f'{{"headers":{{"authorization":"Bearer {written}"}}}}'.encode()
    assert KEY in text.decode() or KEY in json.loads(text)["headers"]["authorization"]
    sent = through(HidingFilter(Hidden([KEY])), pieces_of(text, places))
    assert json.loads(sent) == {"headers": {"authorization": f"Bearer {REDACTED.decode()}"}}


@given(secret=SECRETS, text=st.binary(max_size=300), places=PLACES)
def test_what_holds_no_secret_stays_as_it_was(secret: str, text: bytes, places: list[int]) -> None:
    """Byte for byte; a read in which nothing is changed comes out as the same object, which nobody has to copy."""
    if secret.encode() in text or text.endswith(secret[:4].encode()):
        return
    one, whole = Hidden([secret]), text + b"\n"
    assert one.taken_out(text) is text
    assert HidingFilter(one).feed(whole) is whole
    assert through(HidingFilter(one), pieces_of(whole, places)) == whole


def test_only_what_may_be_its_begin_waits() -> None:
    """And no longer than until the next read. One that breaks off is not shown either."""
    one = HidingFilter(Hidden(["sk-secret"]))
    assert [one.feed(piece) for piece in (b"ask", b" s", b"k-s", b"ee", b"sk-secre")] == [
        b"a",
        b"sk ",
        b"",
        b"sk-see",
        b"",
    ]
    assert one.end() == REDACTED
    short = HidingFilter(Hidden(["sk-secret"]))
    assert (short.feed(b"task"), short.end()) == (b"ta", b"sk")


@pytest.mark.parametrize("secret", ["sim", "", "abc"])
def test_what_is_too_short_to_be_a_secret_is_none(secret: str) -> None:
    """It would be found everywhere."""
    assert not Hidden([secret])


def test_openais_own_answers_are_not_looked_at() -> None:
    """It shows nothing of what it was sent; a server at another address may."""
    for address, looked_at in (("https://api.openai.com/v1", False), ("https://gpu.example/v1", True)):
        assert bool(provider("openai", OPENAI_BASE_URL=address).shown) is looked_at


def test_of_a_whole_answer_nothing_is_kept() -> None:
    """It has no events: what were kept of one would grow to all of it, and be copied with each read."""
    one = HidingFilter(Hidden([SECRET]))
    assert [one.feed(piece) for piece in (b"{" * 1_000, b"x" * 1_000)] == [b"{" * 1_000, b"x" * 1_000]
    assert not one.holds


def test_looking_costs_next_to_nothing() -> None:
    """A stream of 10,000 reads: a few microseconds each."""
    read = b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"hello"}}]}\n\n' * 3
    one = HidingFilter(Hidden([SECRET]))
    began = time.process_time()
    for _ in range(10_000):
        one.feed(read)
    assert time.process_time() - began < 0.5


QUOTED = b'data: {"choices":[{"index":0,"delta":{"content":"x"}}],"echo":"Bearer %s"}\n\n' % SECRET.encode()
ERROR = b'data: {"error":{"message":"bad key %s, or sk-pro***6789"}}\n\n' % SECRET.encode()
END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize("wants_usage", [False, True])
@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("text", [QUOTED + END, ERROR, QUOTED[:-30], QUOTED + ERROR[:60]])
def test_a_stream_shows_no_key_of_ours(text: bytes, size: int, wants_usage: bool) -> None:
    """In an event of text or of an error, whole or broken off, on every way that a stream may take."""
    pieces = [text[place : place + size] for place in range(0, len(text), size)]
    answer = FakeAnswer(headers=EVENTS, pieces=pieces, how=StreamEnd.PROVIDER_BROKE_OFF)
    sent = Calling(answer, streamed=True, wants_usage=wants_usage).call().sent
    assert SECRET[:12].encode() not in sent
    assert size != 10_000 or b"6789" not in sent  # a masked one, where its event comes in one read
    for event in sent.split(b"\n\n")[:-1]:
        assert event == b"data: [DONE]" or json.loads(event.removeprefix(b"data: "))


@pytest.mark.parametrize("large", [False, True])
def test_a_whole_answer_shows_no_key_of_ours(large: bool) -> None:
    """Held or handed on."""
    answer = {"choices": [], "echo": {"authorization": f"Bearer {SECRET}"}, "pad": "x" * (3_000_000 if large else 3)}
    text = json.dumps(answer).encode()
    outcome = Calling(FakeAnswer(pieces=[text[:40], text[40:]])).call()
    assert outcome.json == {**answer, "echo": {"authorization": "Bearer [redacted]"}}


@pytest.mark.parametrize("wants_usage", [False, True])
def test_the_usage_event_is_taken_out_behind_it(wants_usage: bool) -> None:
    """What is sifted has no key in it any more."""
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
    answer = FakeAnswer(headers=EVENTS, pieces=[QUOTED + END[:-14] + usage + END[-14:]])
    sent = Calling(answer, streamed=True, wants_usage=wants_usage).call().sent
    quiet = QUOTED.replace(SECRET.encode(), REDACTED) + END
    assert sent == (quiet[:-14] + usage + END[-14:] if wants_usage else quiet)


@given(secret=SECRETS, around=st.text(string.ascii_letters + "sk-{}\n", max_size=30), places=PLACES)
def test_what_the_guard_lets_pass_is_not_changed(secret: str, around: str, places: list[int]) -> None:
    """The filter need not be asked: JavaScript's `$` is Python's end of the text."""
    one = HidingFilter(Hidden([secret]))
    guard = re.compile(one.guard.replace("$", r"\Z").encode())
    for piece in pieces_of((around + secret * 2 + around).encode(), places):
        held = one.holds
        assert held or guard.search(piece) or one.feed(piece) == piece
        if held or guard.search(piece):
            one.feed(piece)
