"""A body as it comes: who may send how much of it, how slowly, and what the isolate holds of it meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from lib.http.memory import BUDGET_BYTES, STRANGERS, STRANGERS_BYTES, Memory
from lib.kernel.errors import HeadgateError, Unauthorized
from lib.web.validate import LARGE_BYTES
from tests.unit.runtime.virtual_platform import load, run_virtually

[REQUEST] = load("request")
KIB, MIB = 1024, 1024 * 1024
LIMIT = 8 * MIB
PIECE = 64 * KIB
NEVER = 10_000.0

Coming = Iterable[tuple[float, int]]  # pieces: after how many seconds, and of how many bytes


class View:
    """A `Uint8Array`, as far as it is used."""

    def __init__(self, data: bytes) -> None:
        self.byteLength, self.buffer, self.to_bytes = len(data), len(data), lambda: data

    @classmethod
    def new(cls, size: int) -> View:
        return cls(bytes(size))


@dataclass
class Sent:
    """JavaScript's request with a body that comes in pieces. Its stream is that of a byte reader too."""

    coming: Coming
    headers: Any = field(default_factory=lambda: SimpleNamespace(has=lambda _: False))
    signal: Any = field(default_factory=lambda: SimpleNamespace(addEventListener=lambda *_: None))
    read_bytes: int = 0
    buffers: int = 0  # in which it was drained, together

    def __post_init__(self) -> None:
        self.coming = iter(self.coming)
        self.body = SimpleNamespace(getReader=lambda _: self)

    async def arrayBuffer(self) -> View:  # noqa: N802 - JavaScript's name
        return View(b"".join([await self._next() for _ in range(10)]))

    async def readAtLeast(self, least: int, view: View) -> Any:  # noqa: N802 - JavaScript's name
        assert least <= view.byteLength
        data = b""
        while len(data) < least and (piece := await self._next()):
            data += piece
        value = View(data)
        value.buffer = view.byteLength  # the whole of it goes to and fro
        return SimpleNamespace(done=not data, value=value)

    async def read(self, view: View) -> Any:
        self.buffers += view.byteLength
        return await self.readAtLeast(1, view)

    async def _next(self) -> bytes:
        seconds, size = next(iter(self.coming), (0.0, 0))
        await asyncio.sleep(seconds)
        self.read_bytes += size
        return b"x" * size


@pytest.fixture(autouse=True)
def _arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(REQUEST.js, "Uint8Array", View, raising=False)
    monkeypatch.setattr(REQUEST.js, "ArrayBuffer", SimpleNamespace(new=lambda size: size), raising=False)
    monkeypatch.setattr(REQUEST, "time", SimpleNamespace(time=lambda: asyncio.get_running_loop().time()))


@dataclass
class Told:
    """What came of it."""

    status: int
    size: int
    seconds: float
    asked: int  # how often it was asked who calls
    read: int  # of the body
    buffers: int
    held: int  # while it came, at most, for the caller
    left: int  # afterwards


def send(
    coming: Coming, length: int | None, *, memory: Memory | None = None, limit: int = LIMIT, unknown: bool = False
) -> Told:
    """Read a body that is sent."""
    memory = memory or Memory()
    before = memory.held
    sent, asked, held = Sent(coming), 0, 0

    async def known() -> str:
        nonlocal asked, held
        asked, held = asked + 1, max(held, memory.held - before)
        if unknown:
            raise Unauthorized("Nobody knows you.")
        return "org"

    async def read() -> tuple[int, int, float]:
        started = asyncio.get_running_loop().time()
        body = REQUEST.JsBody(sent, None if length is None else str(length), memory.share())
        try:
            answer = 200, len(await body.read(limit, known))
        except HeadgateError as error:
            answer = error.status, 0
        return *answer, asyncio.get_running_loop().time() - started

    status, size, seconds = run_virtually(read())
    return Told(status, size, seconds, asked, sent.read_bytes, sent.buffers, held, memory.held - before)


def trickle(size: int, pace: float, step: int = KIB) -> Coming:
    """`size` bytes at `pace` bytes a second."""
    return ((step / pace, step) for _ in range(size // step))


def at_once(size: int) -> Coming:
    return trickle(size, 1e12, min(size, PIECE))


def full(size: int, whose: str | None = None) -> Memory:
    """A memory of which another request holds so much."""
    memory = Memory()
    memory.set(-1, size, whose)
    return memory


FEW, MANY = 50 * KIB, MIB
A_WHILE: Sequence[Any] = [
    # what comes, the announced length, memory, is unknown → status, asked who calls, seconds at least and at most
    pytest.param(at_once(FEW), FEW, Memory, True, 200, 0, 0, 1, id="small: nobody asks who calls before it is there"),
    pytest.param(at_once(FEW), None, Memory, True, 200, 0, 0, 1, id="small and chunked"),
    pytest.param(at_once(MANY), MANY, Memory, False, 200, 1, 0, 1, id="large"),
    pytest.param(at_once(MANY), None, Memory, False, 200, 1, 0, 1, id="large and chunked"),
    pytest.param(at_once(MANY), MANY, Memory, True, 401, 1, 0, 1, id="large, of somebody unknown"),
    pytest.param(at_once(MANY), None, Memory, True, 401, 1, 0, 1, id="large and chunked, of somebody unknown"),
    pytest.param(at_once(2 * LIMIT), None, Memory, False, 413, 1, 0, 1, id="too large, and chunked"),
    pytest.param(at_once(MANY), 2 * LIMIT, Memory, False, 413, 0, 0, 1, id="too large, as it says"),
    pytest.param(trickle(MANY, 10 * KIB), MANY, Memory, False, 200, 1, 102, 103, id="slow and honest"),
    pytest.param(trickle(MANY, 1, 1), MANY, Memory, False, 408, 1, 15, 26, id="a trickle"),
    pytest.param(trickle(MANY, 1, 1), None, Memory, True, 408, 0, 15, 26, id="a trickle, chunked"),
    pytest.param([(0, 7 * PIECE), (NEVER, 1)], MANY, Memory, False, 408, 1, 15, 16, id="silence in the middle"),
    pytest.param([(NEVER, 1)], MANY, Memory, True, 401, 1, 0, 1, id="silence, of somebody unknown"),
    pytest.param([(NEVER, 1)], FEW, lambda: full(1, STRANGERS), True, 408, 0, 30, 31, id="small silence beside others"),
    pytest.param(at_once(FEW), FEW, lambda: full(STRANGERS_BYTES, STRANGERS), True, 401, 1, 0, 1, id="beside many"),
    pytest.param(at_once(FEW), FEW, lambda: full(STRANGERS_BYTES, STRANGERS), False, 200, 1, 0, 1, id="known of many"),
    pytest.param([(NEVER, 1)], None, lambda: full(STRANGERS_BYTES, STRANGERS), True, 401, 1, 0, 1, id="chunked"),
    pytest.param(at_once(FEW), FEW, lambda: full(BUDGET_BYTES), False, 503, 0, 0, 1, id="no room"),
    pytest.param(at_once(MANY), MANY, lambda: full(BUDGET_BYTES), True, 401, 1, 0, 1, id="no room, nor known"),
    pytest.param(at_once(LIMIT), LIMIT, lambda: full(4 * MIB, "org"), False, 503, 1, 0, 1, id="over its half"),
    pytest.param(at_once(LIMIT), LIMIT, lambda: full(18 * MIB, "other"), False, 200, 1, 0, 1, id="beside another"),
    pytest.param(at_once(LIMIT), LIMIT, lambda: full(18 * MIB), False, 200, 1, 0, 1, id="beside what has come"),
]  # fmt: skip


@pytest.mark.parametrize(("coming", "length", "memory", "unknown", "status", "asked", "least", "most"), A_WHILE)
def test_a_body_is_read_as_long_as_it_may_come(
    coming: Coming, length: int | None, memory: Callable[[], Memory], unknown: bool, status: int, asked: int,
    least: float, most: float,
) -> None:  # fmt: skip
    """Nobody unknown holds more than a small body's room, and nobody holds any for long without sending."""
    told = send(coming, length, memory=memory(), unknown=unknown)
    assert (told.status, told.asked) == (status, asked)
    assert least <= told.seconds <= most
    assert told.held <= 2 * LARGE_BYTES, "an unknown caller held more"
    assert told.left == 0, "the share is let go of"


@pytest.mark.parametrize("length", [MANY, None])
def test_what_is_refused_is_drained(length: int | None) -> None:
    """Else a client that sends all of it before it listens would see a broken connection, and no 401."""
    told = send(at_once(MANY), length, unknown=True)
    assert (told.status, told.read) == (401, MANY)


@pytest.mark.parametrize("length", [KIB, None])
def test_a_burst_of_small_bodies_beside_many_strangers_has_room(length: int | None) -> None:
    """None holds more than its buffer: 200 of one organisation may come at once."""
    memory = full(STRANGERS_BYTES, STRANGERS)

    async def burst() -> list[int]:
        async def known() -> str:
            return "org"

        bodies = [REQUEST.JsBody(Sent([(1, KIB)]), length and str(length), memory.share()) for _ in range(200)]
        return [len(body) for body in await asyncio.gather(*(body.read(LIMIT, known) for body in bodies))]

    assert run_virtually(burst()) == [KIB] * 200


def test_what_is_drained_slowly_holds_no_large_buffer() -> None:
    """Nobody counts it: a few hundred strangers who trickle would fill the isolate."""
    told = send(trickle(MANY, 4, 1), MANY, unknown=True)
    assert 10 <= told.seconds <= 11
    assert told.buffers <= 41 * 16 * KIB


def test_a_route_that_takes_small_bodies_is_open_in_an_overload() -> None:
    """A key is revoked, and a budget lowered, also while others fill the isolate; a call to a model is refused."""
    for strangers in (STRANGERS, None):
        told = send(at_once(FEW), FEW, memory=full(BUDGET_BYTES, strangers), limit=LARGE_BYTES)
        assert (told.status, told.size) == (200, FEW)
    assert send(at_once(FEW), FEW, memory=full(BUDGET_BYTES), limit=LARGE_BYTES + 1).status == 503
