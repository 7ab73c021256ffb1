"""What one invocation of the Worker, or of an object, has used: its queries and connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import js

from tools.production import rules


class Invocation:
    """One event from its begin to its end. `streamed` is a promise of the answer's end, where it is a stream."""

    def __init__(self, most_queries: int) -> None:
        self._most_queries = most_queries
        self._queries = 0
        self._connections = asyncio.Semaphore(rules.CONNECTIONS.figure)
        self.streamed: Any = None

    def query(self, count: int) -> None:
        """Count queries; raise D1's error for more than an invocation may have. Each statement of a batch is one."""
        self._queries += count
        if self._queries > self._most_queries:
            raise js.Error.new("D1_ERROR: Too many API requests by single Worker invocation.")

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[None]:
        """Hold one of the six connections; who comes seventh waits."""
        async with self._connections:
            yield


INVOCATION: ContextVar[Invocation] = ContextVar("invocation")


async def travel(delay_ms: float) -> None:
    """Take so long to get there, or back."""
    if delay_ms:
        await js.scheduler.wait(delay_ms)
