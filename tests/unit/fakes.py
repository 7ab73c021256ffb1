"""The platform's side of the ports, as plain classes: what a request, a clock and a sealer look like to the core."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from lib.http.request import Departure, Known, RawRequest
from lib.http.streaming import ReaderLost
from lib.kernel.errors import PayloadTooLarge
from lib.kernel.ids import new_id
from lib.ledger.archive import ArchiveUnavailable
from lib.web.validate import LARGE_BYTES

T = TypeVar("T")
NOW = datetime(2026, 5, 4, 12, 30, 15, 123456, tzinfo=UTC)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run one coroutine to its end."""
    return asyncio.run(work)


class FakeHeaders:
    """Headers by name. It must be asked for in lower case, as the platform has them."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = {name.lower(): value for name, value in (values or {}).items()}

    def get(self, name: str) -> str | None:
        assert name == name.lower()
        return self._values.get(name)


async def known() -> str:
    """Say of whoever calls which organisation it is of."""
    return "an organisation"


@dataclass
class FakeBody:
    """A body that remembers whether somebody has read it. A large one is read only once its caller is known."""

    text: bytes = b""
    reads: int = 0

    async def read(self, limit: int, known: Known) -> bytes:
        if len(self.text) > LARGE_BYTES:
            await known()
        self.reads += 1
        if len(self.text) > limit:
            raise PayloadTooLarge(f"The body is over {limit} bytes.")
        return self.text


@dataclass
class FakeClient:
    """The client's connection."""

    gone: bool = False


@dataclass
class FakeClock:
    """A clock that stands still until it is moved."""

    time: datetime = NOW

    def now(self) -> datetime:
        return self.time

    def advance(self, **parts: float) -> None:
        self.time += timedelta(**parts)


@dataclass
class FakeSealer:
    """Sealing that is no encryption, but fails for a wrong key or a changed text as the real one does."""

    sealed: list[bytes] = field(default_factory=list)

    async def seal(self, key: bytes, text: bytes) -> bytes:
        pad = hashlib.sha256(key).digest()
        hidden = bytes(byte ^ pad[index % len(pad)] for index, byte in enumerate(text))
        self.sealed.append(hmac.new(key, hidden, hashlib.sha256).digest() + hidden)
        return self.sealed[-1]

    async def open(self, key: bytes, sealed: bytes) -> bytes:
        tag, hidden = sealed[:32], sealed[32:]
        if tag != hmac.new(key, hidden, hashlib.sha256).digest():
            raise ValueError("wrong key or changed text")
        pad = hashlib.sha256(key).digest()
        return bytes(byte ^ pad[index % len(pad)] for index, byte in enumerate(hidden))


@dataclass
class FakeKv:
    """KV as `lib.gateway.callers.cache` sees it. `failure` is what every call raises; `slow`: reads never answer."""

    texts: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, int] = field(default_factory=dict)  # how long each is kept
    reads: list[tuple[str, ...]] = field(default_factory=list)
    failure: Exception | None = None
    slow: bool = False

    async def get(self, names: Sequence[str]) -> Mapping[str, str]:
        self.reads.append(tuple(names))
        await self._happen()
        return {name: self.texts[name] for name in names if name in self.texts}

    async def put(self, name: str, text: str, seconds: int) -> None:
        await self._happen()
        self.texts[name], self.seconds[name] = text, seconds

    async def delete(self, name: str) -> None:
        await self._happen()
        self.texts.pop(name, None)

    async def _happen(self) -> None:
        if self.failure:
            raise self.failure
        await asyncio.sleep(60 if self.slow else 0)


@dataclass
class FakeStream:
    """A body that is written: what has come through, and how it ended. `fails_at`: the client leaves then."""

    pieces: list[bytes] = field(default_factory=list)
    how: str = "open"
    fails_at: int | None = None

    @property
    def body(self) -> FakeStream:
        return self

    @property
    def native(self) -> bytes:
        return b"".join(self.pieces)

    async def write(self, piece: bytes) -> None:
        if len(self.pieces) == self.fails_at:
            raise ReaderLost
        self.pieces.append(piece)

    async def end(self) -> None:
        self.how = "ended"

    async def break_off(self) -> None:
        self.how = "broken off"


@dataclass
class FakeStreams:
    """Every body that was begun. `fails_at`: at which piece their clients leave."""

    opened: list[FakeStream] = field(default_factory=list)
    fails_at: int | None = None

    def open(self, client: Departure) -> FakeStream:  # noqa: ARG002 - its leaving is scripted
        self.opened.append(FakeStream(fails_at=self.fails_at))
        return self.opened[-1]


@dataclass
class FakeArchive:
    """Implements `lib.ledger.archive.Archive`. `failure` is what each call ends with, before it is done."""

    objects: dict[str, bytes] = field(default_factory=dict)
    failure: str | None = None

    async def put(self, name: str, body: bytes) -> None:
        if self.failure is not None:
            raise ArchiveUnavailable(self.failure)
        self.objects[name] = body

    async def get(self, name: str) -> bytes | None:
        if self.failure is not None:
            raise ArchiveUnavailable(self.failure)
        return self.objects.get(name)


def raw_request(
    method: str = "GET",
    target: str = "/",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    client: FakeClient | None = None,
) -> RawRequest:
    """Return a request as the platform hands it on. `target` is the path with its query."""
    path, _, query = target.partition("?")
    return RawRequest(new_id(NOW), method, path, query, FakeHeaders(headers), FakeBody(body), client or FakeClient())
