"""Turns: those of one isolate who want the same thing take it one after another, first come first served.

A courtesy, not a lock: it spares those who would only get in each other's way. What must hold, the store enforces,
since other isolates have turns of their own. So a turn that is not given back, because its request was cut off, is only
waited for so long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from lib.kernel.clock import Clock

LONGEST_MS = 2000  # after this, whoever has the turn is taken for gone


class Bell(Protocol):
    """What one request waits for."""

    async def wait(self) -> None:
        """Return when another request rings, or when the time is over."""
        ...

    def ring(self) -> None:
        """End the wait. Only called during it."""
        ...


class _Line:
    """Who has the turn of one name, since when, and who waits behind."""

    def __init__(self, holder: Bell, since: float) -> None:
        self.holder = holder
        self.since = since
        self.waiting: deque[Bell] = deque()

    def hand_to(self, holder: Bell, now: float) -> None:
        self.holder, self.since = holder, now


class Turns:
    """The turns of one isolate. `new_bell` makes a bell that rings by itself after so many milliseconds."""

    def __init__(self, new_bell: Callable[[int], Bell], clock: Clock) -> None:
        self._new_bell = new_bell
        self._clock = clock
        self._lines: dict[str, _Line] = {}

    @asynccontextmanager
    async def take(self, name: str) -> AsyncIterator[None]:
        """Wait for the turn, and give it on at the end."""
        bell = self._new_bell(LONGEST_MS)
        await self._wait(name, bell)
        try:
            yield
        finally:
            self._give_on(name, bell)

    async def _wait(self, name: str, bell: Bell) -> None:
        line = self._lines.get(name)
        if line is None:
            self._lines[name] = _Line(bell, self._now())
            return
        if self._now() - line.since < LONGEST_MS / 1000:
            line.waiting.append(bell)
            try:
                await bell.wait()
            finally:
                if bell in line.waiting:  # nobody rang: it was the time, or we are being cut off
                    line.waiting.remove(bell)
        line.hand_to(bell, self._now())
        self._lines[name] = line

    def _give_on(self, name: str, bell: Bell) -> None:
        line = self._lines.get(name)
        if line is None or line.holder is not bell:
            return  # it took so long that others went on
        if line.waiting:
            following = line.waiting.popleft()
            line.hand_to(following, self._now())
            following.ring()
        else:
            del self._lines[name]

    def _now(self) -> float:
        return self._clock.now().timestamp()
