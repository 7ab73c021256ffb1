"""A provider by script: what it answers, how its stream ends, and what reaches the client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import httpx

from lib.gateway.streams.hiding import HidingFilter
from lib.gateway.streams.stream_text import StreamText
from lib.gateway.streams.upstream import AnswerTooLarge, Ending, Ends, Sieve, StreamEnd, StreamFilter
from lib.http.request import Departure
from tests.unit.gateway.passing import Passing

JSON = {"content-type": "application/json"}
END_BYTES = 64 * 1024
EVENTS = {"content-type": "text/event-stream; charset=utf-8"}


@dataclass
class FakeBuffer:
    """A whole body that the platform would hold."""

    text: bytes

    @property
    def native(self) -> object:
        return self.text

    def to_bytes(self) -> bytes:
        return self.text


@dataclass
class FakeRelay:
    """Hands pieces on as `lib.runtime.relay` does; `sent` is what the client has got."""

    pieces: Sequence[bytes]
    how: StreamEnd
    heard: StreamText
    ending: Ending
    sieve: Sieve | None
    hiding: HidingFilter | None
    sent: bytes = b""
    last: bytes = b""  # what was to be sent at the end, whether there was still a client or not
    runs: int = 0

    @property
    def body(self) -> FakeRelay:
        return self

    @property
    def native(self) -> object:
        return self

    async def finished(self, cut: Callable[[StreamEnd], object]) -> None:
        self.runs += 1
        passing = Passing(self.heard, self.sieve)
        for piece in self.pieces:
            self.sent += passing.feed(self.hiding.feed(piece) if self.hiding else piece)
            await asyncio.sleep(0)
        self.heard.text = passing.text
        if self.how is StreamEnd.CLIENT_GONE:
            cut(self.how)
            await asyncio.sleep(0)
        self.last = self.ending(self.how, *self.heard.split(passing.sent))
        if self.how is not StreamEnd.CLIENT_GONE:
            self.sent += self.last


@dataclass
class FakePassage:
    """Hands an answer on as `lib.runtime.passage` does; `sent` is what the client has got."""

    pieces: Sequence[bytes]
    how: StreamEnd
    stream_filter: StreamFilter | None
    sent: bytes = b""

    @property
    def body(self) -> FakePassage:
        return self

    @property
    def native(self) -> object:
        return self

    async def finished(self, cut: Callable[[Ends], None]) -> None:
        text = b"".join(self.pieces)
        for piece in self.pieces:
            self.sent += self.stream_filter.feed(piece) if self.stream_filter else piece
            await asyncio.sleep(0)
        cut(Ends(self.how, text[:END_BYTES], text[-END_BYTES:], len(text)))
        if self.stream_filter and self.how is StreamEnd.PROVIDER_DONE:
            self.sent += self.stream_filter.end()


@dataclass
class FakeAnswer:
    """A provider's answer. `failure` is raised where its body is read; `how` is the way its stream ends."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    pieces: Sequence[bytes] = (b"{}",)
    failure: BaseException | None = None
    how: StreamEnd = StreamEnd.PROVIDER_DONE
    discarded: int = 0
    holds: int = 0  # while it is read whole
    relayed: FakeRelay | None = None

    async def read(self, limit: int) -> FakeBuffer:
        await asyncio.sleep(0)
        if self.failure:
            raise self.failure
        text = b"".join(self.pieces)
        if len(text) > limit:
            raise AnswerTooLarge
        return FakeBuffer(text)

    async def hold(self, limit: int, held: Callable[[int], None]) -> FakeBuffer | None:
        held(self.holds)
        try:
            return await self.read(limit)
        except AnswerTooLarge:
            return None

    def passage(self, stream_filter: StreamFilter | None) -> FakePassage:
        return FakePassage(self.pieces, self.how, stream_filter)

    def relay(self, heard: StreamText, ending: Ending, sieve: Sieve | None, hiding: HidingFilter | None) -> FakeRelay:
        self.relayed = FakeRelay(self.pieces, self.how, heard, ending, sieve, hiding)
        return self.relayed

    async def discard(self) -> None:
        self.discarded += 1


@dataclass
class Sent:
    """What one call sent to the provider."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    timeout_seconds: int


@dataclass
class FakeUpstream:
    """Answers each call by the script's next line, or by its last one."""

    script: list[FakeAnswer | BaseException] = field(default_factory=lambda: [FakeAnswer()])
    sent: list[Sent] = field(default_factory=list)
    listing: bytes | BaseException = field(default_factory=lambda: httpx.ConnectError(""))  # of its models
    read: list[tuple[str, str]] = field(default_factory=list)  # who asked for it, and where

    @property
    def http(self) -> httpx.AsyncClient:
        """A client that reads its list, and nothing else."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self._list))

    async def _list(self, request: httpx.Request) -> httpx.Response:
        self.read.append((str(request.url), request.headers["authorization"]))
        await asyncio.sleep(0)
        if isinstance(self.listing, BaseException):
            raise self.listing
        return httpx.Response(200, content=self.listing)

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, _client: Departure, timeout_seconds: int
    ) -> FakeAnswer:
        self.sent.append(Sent(url, headers, body, timeout_seconds))
        await asyncio.sleep(0)
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer
