"""What a request waits for until another one rings."""

from __future__ import annotations

from typing import Any

import js


class JsBell:
    """Implements `lib.kernel.turns.Bell`. A JavaScript promise: an asyncio future goes on in the ringer's request."""

    def __init__(self, longest_ms: int) -> None:
        self._longest_ms = longest_ms
        self._rung: Any = None

    async def wait(self) -> None:
        self._rung = js.Promise.withResolvers()
        timer = js.setTimeout(self._rung.resolve, self._longest_ms)
        try:
            await self._rung.promise
        finally:
            js.clearTimeout(timer)

    def ring(self) -> None:
        self._rung.resolve()
