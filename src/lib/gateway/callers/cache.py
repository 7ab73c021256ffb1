"""A cache that all isolates share (Workers KV). It is late by a minute or more, and may fail: nothing rests on it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol

from lib.kernel import failures
from lib.kernel.failures import Failure

READ_SECONDS = 0.25
WRITE_SECONDS = 5.0
SHORTEST_SECONDS = 60  # KV keeps nothing for less


class Cache(Protocol):
    """Texts by name. No method raises: each failure is noted, and is as if there were no cache."""

    async def get(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return what there is under these names. Nothing, when it fails or takes longer than READ_SECONDS."""
        ...

    async def put(self, name: str, text: str, seconds: int) -> None:
        """Keep a text for at least SHORTEST_SECONDS. When it fails, whatever was there stays."""
        ...

    async def delete(self, name: str) -> None:
        """Remove a text. When it fails, it stays until its time is over."""
        ...


class KvFailure(Exception):
    """KV said no; the message is its own."""


class Kv(Protocol):
    """The platform's side. All raise KvFailure."""

    async def get(self, names: Sequence[str]) -> Mapping[str, str]: ...

    async def put(self, name: str, text: str, seconds: int) -> None: ...

    async def delete(self, name: str) -> None: ...


class KvCache:
    """A cache in KV: bounded in time, and silent about what it can't do."""

    def __init__(self, kv: Kv, read_seconds: float = READ_SECONDS, write_seconds: float = WRITE_SECONDS) -> None:
        self._kv = kv
        self._read_seconds = read_seconds
        self._write_seconds = write_seconds

    async def get(self, names: Sequence[str]) -> Mapping[str, str]:
        try:
            return await asyncio.wait_for(self._kv.get(names), self._read_seconds)
        except TimeoutError:
            failures.note(Failure.KV_READ, f"no answer within {self._read_seconds} s")
        except KvFailure as failure:
            failures.note(Failure.KV_READ, str(failure))
        return {}

    async def put(self, name: str, text: str, seconds: int) -> None:
        await self._write(self._kv.put(name, text, max(SHORTEST_SECONDS, seconds)))

    async def delete(self, name: str) -> None:
        await self._write(self._kv.delete(name))

    async def _write(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await asyncio.wait_for(work, self._write_seconds)
        except TimeoutError:
            failures.note(Failure.KV_WRITE, f"no answer within {self._write_seconds} s")
        except KvFailure as failure:  # one write a second and name is all that KV takes
            failures.note(Failure.KV_WRITE, str(failure))


class NoCache:
    """For a deployment without KV."""

    async def get(self, names: Sequence[str]) -> Mapping[str, str]:  # noqa: ARG002 - there is nothing
        return {}

    async def put(self, name: str, text: str, seconds: int) -> None:
        """Keep nothing."""

    async def delete(self, name: str) -> None:
        """There is nothing."""
