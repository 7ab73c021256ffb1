"""An answer that is read whole, as far as it may be, and what is counted for it meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from lib.gateway.streams.upstream import AnswerTooLarge, Ends
from tests.unit.runtime.virtual_platform import JsException, load, run_virtually

PASSAGE, UPSTREAM = load("passage", "upstream")
FIRST, PIECE = PASSAGE.FIRST_BYTES, PASSAGE.PIECE_BYTES


@pytest.mark.parametrize(
    ("size", "whole", "held"),
    [
        (1_000, True, []),  # as nearly all are
        (FIRST + 1, True, [FIRST + PIECE]),
        (FIRST + PIECE + 1, True, [FIRST + PIECE, FIRST + 2 * PIECE]),
        (10 * PIECE, False, [FIRST + PIECE, FIRST + 2 * PIECE]),
    ],
)
def test_what_is_held_is_counted_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch, size: int, whole: bool, held: list[int]
) -> None:
    """Its length is not known: so as much as the next read may bring, in all its copies."""
    left = size
    told: list[int] = []

    async def read_at_least(most: int, _view: object) -> Any:
        nonlocal left
        piece, left = min(most, left), max(0, left - most)
        return SimpleNamespace(value=SimpleNamespace(byteLength=piece), done=False)

    monkeypatch.setattr(PASSAGE.js, "Uint8Array", SimpleNamespace(new=lambda size: size), raising=False)
    stream = SimpleNamespace(getReader=lambda _: SimpleNamespace(readAtLeast=read_at_least))
    pieces, reader = run_virtually(PASSAGE.begin(stream, FIRST + PIECE + 10, told.append))
    assert (reader is None) is whole
    assert told == [PASSAGE.COPIES * one for one in held]
    assert sum(piece.byteLength for piece in pieces) == min(size, FIRST + 2 * PIECE)


@pytest.mark.parametrize("headers", [{}, {"content-length": str(10**9)}, {"content-encoding": "gzip"}], ids=str)
def test_a_refusal_that_is_too_long_is_read_no_further(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    """Nobody need have said how long it is, and it may have no end: an isolate has 128 MB."""
    read: list[int] = []
    cut: list[bool] = []

    async def read_at_least(most: int, _view: object) -> Any:
        read.append(most)
        return SimpleNamespace(value=SimpleNamespace(byteLength=most), done=False)

    monkeypatch.setattr(PASSAGE.js, "Uint8Array", SimpleNamespace(new=lambda size: size), raising=False)
    body = SimpleNamespace(getReader=lambda _: SimpleNamespace(readAtLeast=read_at_least))
    call = SimpleNamespace(response=SimpleNamespace(body=body), cut=lambda: cut.append(True))
    with pytest.raises(AnswerTooLarge):
        run_virtually(UPSTREAM.JsAnswer(call, 500, headers).read(PIECE))
    assert (sum(read) <= FIRST + PIECE, cut) == (True, [True])


class Signal:
    """A call's signal, which aborts after a while."""

    def __init__(self) -> None:
        self._aborted = False
        self._listeners: list[Callable[[object], object]] = []
        self.addEventListener = lambda _name, listener: self._listeners.append(listener)
        self.removeEventListener = lambda _name, listener: self._listeners.remove(listener)

    def abort(self) -> None:
        self._aborted = True
        for listener in self._listeners:
            listener("event")

    def throwIfAborted(self) -> None:  # noqa: N802 - JavaScript's name
        if self._aborted:
            raise JsException("AbortError")


@pytest.mark.parametrize("why", [2, 3], ids=["its time is over", "its client leaves"])
def test_an_answer_whose_call_ends_while_a_piece_waits_for_its_reader_ends(
    monkeypatch: pytest.MonkeyPatch, why: int
) -> None:
    """The write never settles then. Nothing of it may stay: not its share of the memory, nor the request."""

    async def race(promises: list[Any]) -> None:
        await asyncio.wait(promises, return_when=asyncio.FIRST_COMPLETED)

    async def abort(_reason: object) -> None:
        """What the client sees."""

    async def ends() -> list[Ends]:
        writer = SimpleNamespace(write=lambda _: asyncio.get_running_loop().create_future(), abort=abort)
        pipe = SimpleNamespace(writable=SimpleNamespace(getWriter=lambda: writer), readable=None)
        monkeypatch.setattr(PASSAGE.js, "IdentityTransformStream", SimpleNamespace(new=lambda: pipe), raising=False)
        monkeypatch.setattr(PASSAGE.js.Promise, "race", race, raising=False)
        monkeypatch.setattr(PASSAGE, "to_js", list)
        monkeypatch.setattr(PASSAGE, "create_proxy", _Proxy)
        call = SimpleNamespace(signal=(signal := Signal()), why=why, cut=lambda: None)
        told: list[Ends] = []
        passage = PASSAGE.JsPassage([SimpleNamespace(to_bytes=lambda: b"x" * 9)], None, call, None)
        asyncio.get_running_loop().call_later(1, signal.abort)
        await asyncio.wait_for(passage.finished(told.append), 60)
        return told

    assert [(one.end, one.size) for one in run_virtually(ends())] == [(PASSAGE.ENDS[why], 9)] * 2


class _Proxy:
    def __init__(self, call: Callable[[object], object]) -> None:
        self._call = call

    def __call__(self, event: object) -> object:
        return self._call(event)

    def destroy(self) -> None:
        """Nothing keeps it here."""
