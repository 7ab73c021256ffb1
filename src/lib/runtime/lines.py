"""Calls that were refused and could pass once what is under way is settled: they wait a moment, in line.

What has been answered is not under way, but its settlement may still be on its way to the gate: in this isolate, or in
another that the same client has called before. So the first in line asks the gate again: at once when a call of the
organisation ends here, else every few milliseconds. The others wait behind it, so that a flood of refused calls asks
hardly more often than it does without a line. Nobody waits for more than `WAIT_MS`, or behind more than `MOST_IN_LINE`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import js

# Settlements go alone after 40 ms at the latest (`lib.runtime.objects.gates`), or at once where something is
# nearly used up.
WAIT_MS = 200
AGAIN_MS = (5, 10, 15, 20, 25)  # and so on with the last
MOST_IN_LINE = 32
MOST_WAITING = 256  # of all organisations, in one isolate

# Nobody asks for so long: who is in line yet will not come back.
GONE_AFTER_MS = 15_000
SWEEP_MS = 1_000

Told = TypeVar("Told")
_Place = tuple[str, str]  # a rule, and whose counter


class Lines:
    """The lines of one isolate."""

    def __init__(self) -> None:
        self._lines: dict[str, dict[_Place, list[_Waiter]]] = {}  # by organisation
        self._waiting = 0
        self._swept_ms = 0

    def wake(self, org_id: str) -> None:
        """Have the first of each line ask again: a call of their organisation has ended."""
        for line in self._lines.get(org_id, {}).values():
            if line:  # all of it may have been gone when the isolate was full
                line[0].wake()

    async def ask_again(
        self,
        org_id: str,
        place: _Place,
        told: Told,
        ask: Callable[[], Awaitable[Told]],
        is_hopeful: Callable[[Told], bool],
    ) -> Told:
        """Return what the gate tells in the end, where it has told `told`, which is hopeful. Raises what `ask` does."""
        if self._waiting >= MOST_WAITING:
            self._sweep()
        line = self._lines.get(org_id, {}).get(place, [])
        self._drop_the_gone(line)
        if len(line) >= MOST_IN_LINE or self._waiting >= MOST_WAITING:
            return told
        lines = self._lines.setdefault(org_id, {})
        line = lines.setdefault(place, line)
        me = _Waiter(_now_ms() + WAIT_MS)
        line.append(me)
        self._waiting += 1
        asked = 0
        try:
            while is_hopeful(told) and (left := me.until_ms - _now_ms()) > 0:
                again_ms = AGAIN_MS[min(asked, len(AGAIN_MS) - 1)]
                await me.wait(min(left, again_ms) if line[0] is me else left)
                if line[0] is me or _now_ms() >= me.until_ms:
                    told, asked = await ask(), asked + 1
            return told
        finally:
            self._leave(line, me)
            if not line and lines.get(place) is line:
                del lines[place]
                if not lines:
                    self._lines.pop(org_id, None)

    def _leave(self, line: list[_Waiter], waiter: _Waiter) -> None:
        if waiter in line:
            self._waiting -= 1
            line.remove(waiter)
            if line:
                line[0].wake()

    def _sweep(self) -> None:
        """Drop the gone of every line, once a second at most: nobody may come to theirs again."""
        if _now_ms() - self._swept_ms < SWEEP_MS:
            return
        self._swept_ms = _now_ms()
        for org_id, lines in list(self._lines.items()):
            for place, line in list(lines.items()):
                self._drop_the_gone(line)
                if not line:
                    del lines[place]
            if not lines:
                del self._lines[org_id]

    def _drop_the_gone(self, line: list[_Waiter]) -> None:
        """Drop those who were thrown away with their request."""
        for waiter in [waiter for waiter in line if waiter.until_ms + GONE_AFTER_MS < _now_ms()]:
            self._leave(line, waiter)


class _Waiter:
    """One call. It waits for a JavaScript promise of its own: an asyncio future would resume in another's request."""

    def __init__(self, until_ms: int) -> None:
        self.until_ms = until_ms
        self._woken: Any = None

    def wake(self) -> None:
        if self._woken is not None:
            self._woken.resolve()

    async def wait(self, most_ms: int) -> None:
        self._woken = js.Promise.withResolvers()
        timer = js.setTimeout(self._woken.resolve, most_ms)
        await self._woken.promise
        js.clearTimeout(timer)
        self._woken = None


def _now_ms() -> int:
    return int(time.time() * 1000)
