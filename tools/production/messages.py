"""Workers KV and Queues: rates, old copies, messages that come twice and not in order."""

from __future__ import annotations

from typing import Any

import js
from js import Object
from pyodide.ffi import to_js

from tools.production import clock, rules
from tools.production.invocation import INVOCATION
from tools.production.rules import Settings

MOST_SEEN = 10_000
TWICE_SHARE = 0.2
LATE_SHARE = 0.2


class Kv:
    """A KV binding, at a place that keeps what it has read for a minute, and what it has not found."""

    def __init__(self, binding: Any) -> None:
        self._binding = binding
        self._seen: dict[str, tuple[float, Any]] = {}  # when it was read, and what
        self._written: dict[str, float] = {}

    async def get(self, asked: Any, *options: Any) -> Any:
        """Return a text for a name, or a Map for an array of names."""
        if isinstance(asked, str):
            return (await self.get(to_js([asked]), *options)).get(asked)
        names = list(asked)
        if len(names) > rules.KV_BULK_NAMES.figure:
            raise js.Error.new(f"KV GET_BULK failed: 400 no more than {rules.KV_BULK_NAMES.figure} keys")
        oldest = clock.now() - rules.KV_STALE_SECONDS.figure * 1000
        unknown = [name for name in names if self._seen.get(name, (0, None))[0] <= oldest]
        if unknown:
            async with INVOCATION.get().connection():
                found = await self._binding.get(to_js(unknown), *options)
            while len(self._seen) > MOST_SEEN:
                del self._seen[next(iter(self._seen))]
            for name in unknown:
                self._seen.pop(name, None)
                self._seen[name] = (clock.now(), found.get(name))
        answer = js.Map.new()
        for name in names:
            answer.set(name, self._seen[name][1])
        return answer

    async def put(self, name: str, value: Any, *options: Any) -> None:
        self._count_write(name, "PUT")
        async with INVOCATION.get().connection():
            await self._binding.put(name, value, *options)

    async def delete(self, name: str) -> None:
        self._count_write(name, "DELETE")
        async with INVOCATION.get().connection():
            await self._binding.delete(name)

    async def list(self, *options: Any) -> Any:
        async with INVOCATION.get().connection():
            return await self._binding.list(*options)

    def _count_write(self, name: str, method: str) -> None:
        since = clock.now() - rules.KV_WRITE_SECONDS.figure * 1000
        if self._written.get(name, 0) > since:
            raise js.Error.new(f"KV {method} failed: 429 Too Many Requests")
        if len(self._written) > MOST_SEEN:
            self._written = {known: at for known, at in self._written.items() if at > since}
        self._written[name] = clock.now()


class Queue:
    """A queue's producer. Its consumers get some messages twice, and some late, behind those that were sent later.

    Tries and the dead-letter queue are the local runtime's own.
    """

    def __init__(self, binding: Any, settings: Settings) -> None:
        self._binding = binding
        self._late = settings.message_late_seconds
        self._chance = settings.chance

    async def sendBatch(self, messages: Any, *options: Any) -> Any:
        self._refuse_beyond(messages)
        sent = js.Array.new()
        for message in messages:
            sent.push(self._delayed(message) if self._chance.random() < LATE_SHARE else message)
        again = js.Array.new()
        for message in messages:
            if self._chance.random() < TWICE_SHARE:
                again.push(self._delayed(message))
        async with INVOCATION.get().connection():
            told = await self._binding.sendBatch(sent, *options)
            if again.length:
                await self._binding.sendBatch(again, *options)
        return told

    def _delayed(self, message: Any) -> Any:
        seconds = to_js({"delaySeconds": self._chance.randint(0, self._late)}, dict_converter=Object.fromEntries)
        return Object.assign(Object.new(), message, seconds)

    def _refuse_beyond(self, messages: Any) -> None:
        sizes = [len(str(message.body).encode()) for message in messages]
        if len(sizes) > rules.SEND_MESSAGES.figure:
            raise js.Error.new(f"Queue sendBatch failed: batch message count of {len(sizes)} exceeds limit of 100")
        if any(size > rules.MESSAGE_BYTES.figure for size in sizes):
            raise js.Error.new(f"Queue sendBatch failed: message length of {max(sizes)} bytes exceeds limit of 128000")
        if sum(sizes) > rules.SEND_BYTES.figure:
            raise js.Error.new(f"Queue sendBatch failed: batch size of {sum(sizes)} bytes exceeds limit of 256000")
