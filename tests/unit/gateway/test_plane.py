"""plane.mjs does with a stream's text what the reference does: one table of cases, cut at every byte, runs on both."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable
from typing import Any

import pytest

from lib.gateway.formats.openai.chat_answer import condense
from lib.gateway.streams.stream_text import MOST_BYTES, StreamText
from lib.gateway.streams.usage_sieve import UsageSieve
from lib.http.memory import STREAM_BYTES
from tests.unit.gateway.passing import Passing
from tests.unit.strategies import cut
from tools import node
from tools.project import ROOT

DELTA = b'data: {"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}],"usage":null}\n\n'
WORD = DELTA % "Straße\u2028".encode()
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = b'"usage":{"prompt_tokens":1,"completion_tokens":2}'
TOLD = b'data: {"choices":[],' + USAGE + b"}\n\n"
GROQ = FINISH.replace(b"]}\n", b"]," + USAGE + b"}\n")
RUNNING = WORD.replace(b'"usage":null', USAGE)
DONE = b"data: [DONE]\n\n"
QUOTING = DELTA % rb"\"usage\":{}, \"finish_reason\":\"stop\""
# A stream, and whether the client asked for its usage.
CASES: dict[str, bytes] = {
    "as OpenAI": WORD + FINISH + TOLD + DONE,
    "an event of its own, spaced": WORD + FINISH + TOLD.replace(b":", b": ").replace(b"data: ", b"data:") + DONE,
    "beside the last choice": WORD + GROQ + DONE,
    "beside the last choice, and again": WORD + GROQ + TOLD + DONE,
    "a running total": RUNNING * 2 + GROQ + TOLD + DONE,
    "without a finish": WORD + TOLD + DONE,
    "quoted": QUOTING + FINISH + TOLD + DONE,
    "comments, and names of events": b": ping\n\nevent: x\n" + FINISH + b": ping\n\n" + TOLD + b"\n\n" + DONE,
    "lines of one event": FINISH + TOLD.replace(b",", b",\ndata: ") + DONE,
    "an error with usage": FINISH + TOLD.replace(b"}\n", b',"error":{"a":1}}\n') + DONE,
    "nonsense": b'\n\ndata: "usage":{ \x80\xff\n\r\ndata: {"usage":{}\n\n' + FINISH + b"\n\n\n" + TOLD + b"\r\r\n",
    "broken off": WORD + FINISH + TOLD[:-9],
    "no stream": b'{"error":{"message":"' + USAGE + b'"}}',
}
ENDS = [b"\n", b"\r\n", b"\r"]


def pieces_of(stream: bytes) -> Iterable[list[bytes]]:
    """Cut at each place, at each two that are next to each other, and everywhere."""
    yield from (cut(stream, [place]) for place in range(len(stream)))
    yield from (cut(stream, [place, place + 1]) for place in range(0, len(stream), 3))
    yield [stream[place : place + 1] for place in range(len(stream))]


def played(pieces: list[bytes], *, sifted: bool, kept: int = 10_000, most: int = 20_000) -> dict[str, Any]:
    """Return what the reference does, as JSON: what comes out of each piece, and all that it asks and lets go."""
    asked: list[list[Any]] = []
    gone: list[list[Any]] = []

    class Asked(UsageSieve):
        def rest_of(self, event: bytes, already: int) -> bytes | None:
            rest = super().rest_of(event, already)
            asked.append([text(event), already, text(rest) if rest is not None else self.running])
            return rest

    class Heard(StreamText):
        def let_go(self, events: bytes, most: int) -> None:
            gone.append([text(events), most])

    sieve = Asked() if sifted else None
    passing = Passing(Heard(condense, lambda _size: None), sieve, kept, most)
    outs = [text(passing.feed(piece)) for piece in pieces]
    return {
        "pieces": [text(piece) for piece in pieces],
        "outs": outs,
        "asked": asked,
        "gone": gone,
        "marks": UsageSieve.marks if sifted else "",
        "kept": kept,
        "most": most,
        "text": text(passing.text),
        "sent": passing.sent,
    }


def text(some: bytes) -> str:
    return some.decode("latin-1")


def differences(cases: list[dict[str, Any]]) -> list[Any]:
    """Return where plane.mjs does otherwise."""
    command = [str(node.find().node), "tests/plane/replay.ts"]
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(cases), capture_output=True, text=True, check=True)
    found: list[Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("line_end", ENDS, ids=["LF", "CR LF", "CR"])
def test_wherever_a_stream_is_cut(line_end: bytes) -> None:
    """What goes out at once, what Python is asked, what the client has: the same, piece by piece."""
    streams = [stream.replace(b"\n", line_end) for stream in CASES.values()]
    cases = [played(pieces, sifted=True) for stream in streams for pieces in pieces_of(stream)]
    assert len(cases) > 3_000
    assert differences(cases) == []


@pytest.mark.parametrize("line_end", ENDS, ids=["LF", "CR LF", "CR"])
@pytest.mark.parametrize("sifted", [False, True])
@pytest.mark.parametrize("size", [1, 7, 200, 5_000])
def test_what_is_kept_of_a_long_one(line_end: bytes, sifted: bool, size: int) -> None:
    """And what is let go: whole events, wherever the reads ended."""
    stream = (WORD * 9 + (RUNNING + GROQ) * 5 + TOLD + FINISH * 3 + DONE).replace(b"\n", line_end)
    pieces = [stream[place : place + size] for place in range(0, len(stream), size)]
    assert differences([played(pieces, sifted=sifted, kept=most // 3, most=most) for most in (90, 300, 1_200)]) == []


@pytest.mark.parametrize("sifted", [False, True])
@pytest.mark.parametrize("begin", [b"data: ", FINISH + b'data: {"choices":[],"x":"'])
def test_an_event_without_an_end(begin: bytes, sifted: bool) -> None:
    """Is not held: over a MiB it goes on unread, and what comes behind it is sifted again."""
    stream = begin + b"x" * 4_000_000 + b"\n\n" + FINISH + TOLD + DONE
    pieces = [stream[place : place + 16_384] for place in range(0, len(stream), 16_384)]
    case = played(pieces, sifted=sifted, kept=16_384, most=49_152)
    assert "".join(case["outs"]) == text(stream.replace(TOLD, b"") if sifted else stream)
    assert differences([case]) == []


def test_an_open_stream_is_counted_for_what_it_holds() -> None:
    """A buffer that waits, and the end of its text with one read more; 16 KiB beside, which the benchmark measures."""
    source = (ROOT / "src" / "lib" / "runtime" / "plane.mjs").read_text(encoding="utf-8")
    reads = re.findall(r"^export const SMALL_READ_BYTES = (\d+) \* 1024;$", source, re.MULTILINE)
    (read,) = (int(kib) * 1024 for kib in reads)
    assert 16 * 1024 + read + MOST_BYTES + read == STREAM_BYTES
