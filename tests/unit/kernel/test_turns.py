"""Turns of one isolate: one after another, in order, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from lib.kernel.turns import LONGEST_MS, Turns
from tests.unit.fakes import AsyncioBell, FakeClock, run


class Line:
    """People who want the same thing, and what has happened so far."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.bells: list[AsyncioBell] = []
        self.turns = Turns(self._bell, self.clock)
        self.happened: list[str] = []

    def _bell(self, longest_ms: int) -> AsyncioBell:
        self.bells.append(AsyncioBell(longest_ms))
        return self.bells[-1]

    async def come(self, name: str, until: asyncio.Event | None = None, wanted: str = "chain") -> None:
        async with self.turns.take(wanted):
            self.happened.append(f"{name} begins")
            if until:
                await until.wait()
            self.happened.append(f"{name} ends")

    def is_empty(self) -> bool:
        return not self.turns._lines


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_one_after_another_in_the_order_of_coming() -> None:
    """Nobody begins before the one ahead has ended; nothing is kept when all have gone."""
    line = Line()

    async def all_come() -> None:
        gone = asyncio.Event()
        tasks = [asyncio.create_task(line.come(name, gone)) for name in "abc"]
        await _settle()
        assert line.happened == ["a begins"]
        gone.set()
        await asyncio.gather(*tasks)

    run(all_come())
    assert line.happened == [f"{name} {deed}" for name in "abc" for deed in ("begins", "ends")]
    assert line.is_empty()


def test_other_names_do_not_wait() -> None:
    """A chain of one organisation is nobody else's business."""
    line = Line()

    async def both_come() -> None:
        gone = asyncio.Event()
        first = asyncio.create_task(line.come("a", gone))
        await _settle()
        await line.come("b", wanted="other")
        gone.set()
        await first

    run(both_come())
    assert line.happened == ["a begins", "b begins", "b ends", "a ends"]


def test_who_fails_gives_the_turn_on() -> None:
    """Also by an error of its own."""
    line = Line()

    async def fail() -> None:
        async with line.turns.take("chain"):
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - our own, without a text
        run(fail())
    assert line.is_empty()


def test_who_is_cut_off_while_waiting_is_passed_over() -> None:
    """The next one in the line gets the turn."""
    line = Line()

    async def leave() -> None:
        gone = asyncio.Event()
        tasks = [asyncio.create_task(line.come(name, gone)) for name in "abc"]
        await _settle()
        tasks[1].cancel()
        with suppress(asyncio.CancelledError):
            await tasks[1]
        gone.set()
        await asyncio.gather(tasks[0], tasks[2])

    run(leave())
    assert line.happened == ["a begins", "a ends", "c begins", "c ends"]
    assert line.is_empty()


def test_a_turn_that_is_not_given_back_is_taken() -> None:
    """Its request is gone. Who waits goes on when its own time is over, and hands on to who comes behind."""
    line = Line()

    async def stuck() -> None:
        gone = asyncio.Event()
        tasks = [asyncio.create_task(line.come(name, gone)) for name in "abc"]
        await _settle()
        line.clock.advance(seconds=LONGEST_MS / 1000)
        line.bells[1].ring()  # what its timer does
        await _settle()
        assert line.happened == ["a begins", "b begins"]
        late = asyncio.create_task(line.come("d", gone))
        await _settle()
        assert line.happened == ["a begins", "b begins"]
        gone.set()
        await asyncio.gather(*tasks, late)

    run(stuck())
    # The first was only slow: its end gives nothing on, since the turn is no longer its own.
    assert line.happened == ["a begins", "b begins", "a ends", "b ends", "c begins", "c ends", "d begins", "d ends"]
    assert line.is_empty()


def test_who_comes_after_the_time_goes_at_once() -> None:
    """Nobody waits for one who is gone for long."""
    line = Line()

    async def come_late() -> None:
        gone = asyncio.Event()
        first = asyncio.create_task(line.come("a", gone))
        await _settle()
        line.clock.advance(seconds=LONGEST_MS / 1000)
        await line.come("b")
        gone.set()
        await first

    run(come_late())
    assert line.happened == ["a begins", "b begins", "b ends", "a ends"]
    assert line.is_empty()
