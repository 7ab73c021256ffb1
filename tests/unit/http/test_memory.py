"""An isolate's memory: who is let in, and that each share is let go of."""

from __future__ import annotations

import gc
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.gateway.formats.openai.chat import ChatRequest
from lib.http.memory import LOST_SECONDS, Memory, Share, size_of_parsed
from lib.http.request import Validated
from lib.kernel.errors import Unavailable
from tests.unit.fakes import FakeClient, FakeHeaders


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_what_does_not_fit_is_refused_and_told_when_to_come_again() -> None:
    """What is held stays held by its owners, and the one refused holds nothing."""
    memory = Memory(100)
    first, second = memory.share(), memory.share()
    first.claim(60)
    with pytest.raises(Unavailable) as refused:
        second.claim(41)
    error = refused.value
    assert (error.status, error.code, error.headers) == (503, "overloaded", {"retry-after": "1"})
    assert memory.held == 60
    second.claim(40)
    assert memory.held == 100


def test_one_that_is_alone_is_let_in_whatever_it_takes() -> None:
    """Else it would be refused for ever. What is there already is counted, and never refused."""
    memory = Memory(100)
    first, second = memory.share(), memory.share()
    first.claim(500)
    second.keep(10)
    assert memory.held == 510
    with pytest.raises(Unavailable):
        first.claim(501)


STEP = st.tuples(st.integers(0, 4), st.sampled_from(["claim", "keep", "release", "drop"]), st.integers(0, 50))


@given(st.lists(STEP))
def test_the_sum_is_that_of_the_shares(steps: list[tuple[int, str, int]]) -> None:
    """Whatever happens in whatever order; and a claim never takes it past the budget unless it is alone."""
    memory = Memory(100)
    shares: dict[int, Share] = {}
    sizes: dict[int, int] = {}
    for which, step, size in steps:
        share = shares.setdefault(which, memory.share())
        if step == "drop":
            del share
            del shares[which]
            sizes.pop(which, None)
        elif step == "release":
            share.release()
            sizes[which] = 0
        elif step == "keep":
            share.keep(size)
            sizes[which] = size
        else:
            others = sum(sizes.values()) - sizes.get(which, 0)
            try:
                share.claim(size)
            except Unavailable:
                assert others + size > 100
            else:
                assert others + size <= 100 or not others
                sizes[which] = size
        gc.collect(0)
        assert memory.held == sum(sizes.values())


def test_a_share_that_nobody_lets_go_of_is_lost_in_the_end() -> None:
    """A platform may end a request so that nothing of it runs any more, and nothing of it is collected."""
    clock = Clock()
    memory = Memory(100, clock)
    lost, kept, late = memory.share(), memory.share(), memory.share()
    lost.claim(60)
    clock.now += LOST_SECONDS - 10
    kept.claim(30)
    clock.now += 11
    late.claim(70)
    assert memory.held == 100
    lost.release()
    assert memory.held == 100


@pytest.mark.parametrize("ascii_only", [False, True])
@given(text=st.text(min_size=100, max_size=300))
def test_the_width_of_a_text_is_a_bound(ascii_only: bool, text: str) -> None:
    """No string takes more in Python than what its JSON is counted for, escaped or not."""
    body = json.dumps(text, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    parsed = json.loads(
        body
    )  # a new one: `text` itself may be a constant of hypothesis', with its UTF-8 kept beside it
    assert sys.getsizeof(parsed) - sys.getsizeof("\U0001f600") <= size_of_parsed(body)


def test_a_plain_text_is_counted_once() -> None:
    """An image in base64 is as large in Python as it came."""
    assert size_of_parsed(b'{"a": "' + b"x" * 1000 + b'"}') == 1009


def test_an_image_beside_an_emoji_is_no_wider() -> None:
    """Else two such requests would not be let in side by side, and one of the largest beside none at all."""
    texts = ["\U0001f600 look", "x" * 100_000, 'he said "' + "y" * 5_000 + '" \U0001f600', "\U0001f600\\" + "z" * 5_000]
    body = json.dumps({"messages": texts}, ensure_ascii=False).encode()
    in_python = sum(map(sys.getsizeof, texts))
    assert in_python - 4 * sys.getsizeof("\U0001f600") <= size_of_parsed(body) <= in_python + 1_000


def test_what_is_spent_is_let_go_of() -> None:
    """The parsed body, and what a model read of it: the frames of the pipeline hold the request until its answer."""
    parsed = {"model": "m", "messages": [{"role": "user", "content": "".join(["x"] * 1000), "more": ["y"]}], "other": 1}
    content = parsed["messages"][0]["content"]  # type: ignore[index]
    before = sys.getrefcount(content)
    request = Validated("r", ChatRequest.model_validate(parsed), None, FakeHeaders(), FakeClient(), {}, dict(parsed))
    del parsed
    request.spent()
    assert (request.json, sys.getrefcount(content) < before) == ({}, True)
