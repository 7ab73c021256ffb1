"""What a call holds of the isolate's memory, step by step."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from lib.http.memory import STREAM_BYTES, Memory
from lib.http.request import Departure
from tests.unit.gateway.calls import Calling
from tests.unit.gateway.fake_upstream import EVENTS, FakeAnswer, FakeBuffer, FakeUpstream

USAGE = {"prompt_tokens": 10, "completion_tokens": 20}
LONG = json.dumps({"choices": [], "pad": "x" * 100_000, "usage": USAGE}).encode()
STREAM = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n' * 10_000 + b"data: [DONE]\n\n"


class Looking(FakeUpstream):
    """A provider that looks at what is held when it is asked."""

    def __init__(self, caller: Calling, memory: Memory) -> None:
        super().__init__([caller.answer])
        self._caller, self._memory = caller, memory
        self.seen: list[tuple[int, dict[str, object]]] = []

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, client: Departure, timeout_seconds: int
    ) -> FakeAnswer:
        self.seen.append((self._memory.held - len(body), dict(self._caller.incoming.json)))
        return await super().post(url, headers, body, client, timeout_seconds)


def calling(answer: FakeAnswer, *, streamed: bool = False, others: int = 0) -> tuple[Calling, Memory, Looking]:
    memory = Memory(4 * 1024 * 1024)
    memory.set(-1, others)
    caller = Calling(answer, streamed=streamed)
    caller.incoming = caller.incoming._replace(share=memory.share())
    caller.incoming.share.claim(1_000_000)
    caller.upstream = upstream = Looking(caller, memory)
    return caller, memory, upstream


@pytest.mark.parametrize("streamed", [False, True])
def test_the_provider_is_asked_with_nothing_held_but_its_body(streamed: bool) -> None:
    """The parsed body is let go of when the provider's is made; the call may last minutes."""
    answer = FakeAnswer(headers=EVENTS, pieces=[STREAM]) if streamed else FakeAnswer()
    caller, _, upstream = calling(answer, streamed=streamed)
    assert caller.call().status == 200
    assert upstream.seen == [(0, {})]


@pytest.mark.parametrize(("others", "held_whole"), [(0, True), (3_000_000, False)])
def test_an_answer_is_held_where_there_is_room(others: int, held_whole: bool) -> None:
    """Else it goes on as it comes, and tells its cost by its record alone. It is counted either way."""
    caller, memory, _ = calling(FakeAnswer(pieces=[LONG]), others=others)
    outcome = caller.call()
    assert (outcome.sent, "x-headgate-cost" in outcome.headers) == (LONG, held_whole)
    assert caller.record.output_tokens == 20
    assert memory.held - others == STREAM_BYTES + (2 * len(LONG) if held_whole else 64 * 1024)


def test_an_answer_is_counted_while_it_is_read() -> None:
    """It may come slowly: what has come of it is there."""
    seen: list[int] = []

    class Slow(FakeAnswer):
        async def read(self, limit: int) -> FakeBuffer:
            seen.append(memory.held)
            return await super().read(limit)

    caller, memory, _ = calling(Slow(pieces=[LONG], holds=300_000))
    caller.call()
    assert seen == [STREAM_BYTES + 300_000]


@pytest.mark.parametrize(("event", "more"), [(b"", 0), (b'data: {"x":"' + b"y" * 100_000, 200_000)])
def test_a_long_stream_is_counted_for_what_is_kept_of_it(event: bytes, more: int) -> None:
    """However long, it is what any stream may hold; but an event that is longer is held, and counted twice."""
    caller, memory, _ = calling(FakeAnswer(headers=EVENTS, pieces=[STREAM] * 20 + [event] * 2), streamed=True)
    caller.call()
    assert memory.held == pytest.approx(STREAM_BYTES + more, abs=STREAM_BYTES if more else 0)
