"""Calls to providers with the platform's own `fetch`, by plane.mjs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import from_json, to_json
from pyodide.ffi import JsException, jsnull, to_js

from lib.gateway.streams.hiding import HidingFilter
from lib.gateway.streams.stream_text import StreamText
from lib.gateway.streams.upstream import (
    AnswerTooLarge,
    ClientGone,
    Ending,
    NeverAsked,
    Passage,
    Relay,
    Sieve,
    StreamFilter,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from lib.http.request import Departure
from lib.runtime import native
from lib.runtime.passage import COPIES, FIRST_BYTES, JsPassage, begin
from lib.runtime.relay import JsRelay
from lib.runtime.request import JsDeparture, byte_reader

# As plane.mjs counts them.
_REASONS = (UpstreamUnreachable, UpstreamUnreachable, UpstreamTimeout, ClientGone, NeverAsked)
# A compressed stream would have to be unpacked before its usage can be read.
_HEADERS = {"accept-encoding": "identity"}


class JsUpstream:
    """Implements `lib.gateway.streams.upstream.Upstream`."""

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, client: Departure, timeout_seconds: int
    ) -> JsAnswer:
        if not isinstance(client, JsDeparture):
            raise TypeError("the client must come from lib.runtime.request")
        post = (await native.plane()).post
        told = to_json({**_HEADERS, **headers}).decode()
        asking = post(url, told, to_js(body), client.signal, timeout_seconds * 1000)
        del body  # the platform has a copy, and the provider may take minutes
        call = await asking
        head: str = call.head
        if not head:
            raise _REASONS[call.why]()
        return JsAnswer(call, *from_json(head))


class JsAnswer:
    """Implements `lib.gateway.streams.upstream.UpstreamAnswer`."""

    def __init__(self, call: Any, status: int, headers: dict[str, str]) -> None:
        self._call = call
        self._pieces: list[Any] = []
        self._rest: Any = None
        self.status = status
        self.headers = headers

    async def read(self, limit: int) -> JsBuffer:
        body = await self.hold(limit, lambda _size: None)
        if body is None:
            self._call.cut()
            raise AnswerTooLarge
        return body

    async def hold(self, limit: int, held: Callable[[int], None]) -> JsBuffer | None:
        length = self.headers.get("content-length", "")
        announced = length.isascii() and length.isdigit() and "content-encoding" not in self.headers
        response = self._call.response
        try:
            # Most are whole at once: the stream is not even looked at, which would be one more crossing.
            if (announced and int(length) <= limit) or (body := response.body) is jsnull or body is None:
                if announced and int(length) > FIRST_BYTES:
                    held(COPIES * int(length))
                return JsBuffer(await response.arrayBuffer())
            pieces, self._rest = ([], byte_reader(body)) if announced else await begin(body, limit, held)
        except JsException:
            raise _REASONS[self._call.why]() from None
        if self._rest is not None:
            self._pieces = pieces
            return None
        return JsBuffer(pieces[0] if len(pieces) == 1 else to_js(b"".join(piece.to_bytes() for piece in pieces)))

    def passage(self, stream_filter: StreamFilter | None) -> Passage:
        return JsPassage(self._pieces, self._rest, self._call, stream_filter)

    def relay(self, heard: StreamText, ending: Ending, sieve: Sieve | None, hiding: HidingFilter | None) -> Relay:
        return JsRelay(self._call, heard, ending, sieve, hiding)

    async def discard(self) -> None:
        self._call.cut()


class JsBuffer:
    """A whole body that stays on the JavaScript side until somebody asks for its bytes."""

    def __init__(self, native: Any) -> None:
        self.native = native

    def to_bytes(self) -> bytes:
        return bytes(self.native.to_bytes())
