"""Calls to providers with the platform's own `fetch`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import js
from js import Object
from pyodide.ffi import JsException, jsnull, to_js

from lib.gateway.stream_text import StreamText
from lib.gateway.upstream import (
    AnswerTooLarge,
    ClientGone,
    Ending,
    NeverAsked,
    Passage,
    Relay,
    StreamFilter,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from lib.http.request import Departure
from lib.runtime.passage import JsPassage, begin
from lib.runtime.relay import FilteredRelay, NativeRelay
from lib.runtime.request import JsDeparture, byte_reader, rejection


class Lifeline:
    """What ends a call to a provider early: the client leaves, its time is over, or we give up."""

    def __init__(self, client: JsDeparture, timeout_seconds: int) -> None:
        self.client = client
        self._timeout = js.AbortSignal.timeout(timeout_seconds * 1000)
        self._controller = js.AbortController.new()
        self.signal = js.AbortSignal.any(to_js([client.signal, self._timeout, self._controller.signal]))

    @property
    def timed_out(self) -> bool:
        """Tell whether the time for the call is over."""
        return bool(self._timeout.aborted)

    def over(self) -> Any:
        """Return a promise that rejects when the call has to end. No Python function is called for it."""
        return rejection(self.signal)

    def cut(self) -> None:
        """Cancel the call. What has been read stays readable."""
        self._controller.abort()

    def reason(self) -> Exception:
        """Return why a call failed."""
        if self.client.gone:
            return ClientGone()
        return UpstreamTimeout() if self.timed_out else UpstreamUnreachable()


class JsUpstream:
    """Implements `lib.gateway.upstream.Upstream`."""

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, client: Departure, timeout_seconds: int
    ) -> JsAnswer:
        if not isinstance(client, JsDeparture):
            raise TypeError("the client must come from lib.runtime.request")
        if client.gone:
            raise NeverAsked
        lifeline = Lifeline(client, timeout_seconds)
        asked = _options(headers, body, lifeline)
        del body  # the platform has a copy, and the provider may take minutes
        asking = js.fetch(url, asked)
        del asked
        try:
            return JsAnswer(await asking, lifeline)
        except JsException:
            raise lifeline.reason() from None


def _options(headers: Mapping[str, str], body: bytes, lifeline: Lifeline) -> Any:
    options = {
        "method": "POST",
        # A compressed stream would have to be unpacked before its usage can be read.
        "headers": {"accept-encoding": "identity", **headers},
        "body": body,
        "redirect": "manual",  # following one would carry our key to another host
        "signal": lifeline.signal,
    }
    return to_js(options, dict_converter=Object.fromEntries)


class JsAnswer:
    """Implements `lib.gateway.upstream.UpstreamAnswer`."""

    def __init__(self, response: Any, lifeline: Lifeline) -> None:
        self._response = response
        self._lifeline = lifeline
        self._pieces: list[Any] = []
        self._rest: Any = None
        self.status: int = response.status
        # One crossing for all headers; asking for each would be one a name.
        self.headers: dict[str, str] = json.loads(js.JSON.stringify(Object.fromEntries(response.headers)))

    async def read(self, limit: int) -> JsBuffer:
        length = self.headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length) > limit:
            self._lifeline.cut()
            raise AnswerTooLarge
        try:
            buffer = await self._response.arrayBuffer()
        except JsException:
            raise self._lifeline.reason() from None
        if buffer.byteLength > limit:
            raise AnswerTooLarge
        return JsBuffer(buffer)

    async def hold(self, limit: int) -> JsBuffer | None:
        length = self.headers.get("content-length", "")
        announced = length.isascii() and length.isdigit() and "content-encoding" not in self.headers
        try:
            # Most are whole at once: the stream is not even looked at, which would be one more crossing.
            if (announced and int(length) <= limit) or (body := self._response.body) is jsnull or body is None:
                return JsBuffer(await self._response.arrayBuffer())
            pieces, self._rest = ([], byte_reader(body)) if announced else await begin(body, limit)
        except JsException:
            raise self._lifeline.reason() from None
        if self._rest is not None:
            self._pieces = pieces
            return None
        return JsBuffer(pieces[0] if len(pieces) == 1 else to_js(b"".join(piece.to_bytes() for piece in pieces)))

    def passage(self, stream_filter: StreamFilter | None) -> Passage:
        return JsPassage(self._pieces, self._rest, self._lifeline, stream_filter)

    def relay(self, heard: StreamText, ending: Ending, stream_filter: StreamFilter | None) -> Relay:
        if stream_filter is None:
            return NativeRelay(self._response.body, self._lifeline, heard, ending)
        return FilteredRelay(self._response.body, self._lifeline, heard, ending, stream_filter)

    async def discard(self) -> None:
        self._lifeline.cut()


class JsBuffer:
    """A whole body that stays on the JavaScript side until somebody asks for its bytes."""

    def __init__(self, native: Any) -> None:
        self.native = native

    def to_bytes(self) -> bytes:
        return bytes(self.native.to_bytes())
