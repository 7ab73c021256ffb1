"""The platform's request as the pipeline sees it. Each look at a JavaScript object costs, so it is asked once."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import js
from js import Object
from pyodide.ffi import JsException, create_once_callable, jsnull, to_js

from lib.http.errors import BadRequest, HeadgateError, PayloadTooLarge, Unavailable
from lib.http.memory import Share
from lib.http.request import RawRequest
from lib.http.validate import LARGE_BYTES

PIECE_BYTES = 64 * 1024
# Of a body that is refused, so that its client gets to read why.
MOST_DRAINED_BYTES = 64 * 1024 * 1024
DRAINING_SECONDS = 10.0
SILENCE_SECONDS = 0.5


class JsHeaders:
    """Implements `lib.http.request.Headers`."""

    def __init__(self, headers: Any) -> None:
        self._headers = headers

    def get(self, name: str) -> str | None:
        value = self._headers.get(name)
        return None if value is jsnull or value is None else str(value)


class JsBody:
    """Implements `lib.http.request.BodyReader`. A body is counted twice: its parsed value, or the next body made of it,
    is there before the text is gone; and here JavaScript's copy.
    """

    def __init__(self, request: Any, length: str | None, share: Share) -> None:
        self._request = request
        self._length = length
        self._share = share
        self._watched = False

    async def read(self, limit: int) -> bytes:
        if self._length is None or not (self._length.isascii() and self._length.isdigit()):
            return await self._read_unannounced(limit)
        size = int(self._length[:20])
        if size > limit:
            raise await self._after_the_rest(_too_large(limit), None)
        try:
            self._claim(size, limit)
        except Unavailable as refused:
            raise await self._after_the_rest(refused, None) from None
        try:
            return bytes((await self._request.arrayBuffer()).to_bytes())
        except JsException:
            raise BadRequest("The body broke off.") from None

    async def _read_unannounced(self, limit: int) -> bytes:
        """Read a chunked body piece by piece, so that one without an end is refused at the limit."""
        reader = self._reader()
        if reader is None:
            return b""
        pieces: list[bytes] = []
        size = 0
        try:
            while not (read := await reader.read(js.Uint8Array.new(PIECE_BYTES))).done:
                pieces.append(read.value.to_bytes())
                size += len(pieces[-1])
                if size > limit:
                    pieces.clear()
                    raise await self._after_the_rest(_too_large(limit), reader)
                self._claim(size, limit)
        except JsException:
            raise BadRequest("The body broke off.") from None
        except Unavailable as refused:
            pieces.clear()
            raise await self._after_the_rest(refused, reader) from None
        return b"".join(pieces)

    def _claim(self, size: int, limit: int) -> None:
        """Claim the room for so much of it. Raises Unavailable.

        Where only small ones are taken none is refused: a key must be revoked also while others fill the isolate.
        """
        hold = self._share.claim if limit > LARGE_BYTES else self._share.keep
        hold(2 * size)
        if size > LARGE_BYTES and not self._watched:
            # A client that leaves may take the request with it before it comes to an end of its own.
            self._watched = True
            self._request.signal.addEventListener("abort", create_once_callable(self._share.release))

    def _reader(self) -> Any:
        body = self._request.body
        return None if body is jsnull or body is None else byte_reader(body)

    async def _after_the_rest(self, refusal: HeadgateError, reader: Any) -> HeadgateError:
        """Return a refusal once the rest of the body has come, and was thrown away; or some of it, for a while.

        A client that sends all of its body before it listens sees a broken connection instead of an answer that comes
        before: the server closes it on the bytes that nobody reads. One that waits to be asked for them sends none.
        """
        self._share.release()
        reader = reader or self._reader()
        if reader is None or self._request.headers.has("expect"):
            return refusal
        drained, until = 0, time.time() + DRAINING_SECONDS
        with suppress(JsException, TimeoutError):  # it has left, or waits for our answer
            while drained < MOST_DRAINED_BYTES and time.time() < until:
                read = await asyncio.wait_for(reader.read(js.Uint8Array.new(PIECE_BYTES)), SILENCE_SECONDS)
                if read.done:
                    break
                drained += read.value.byteLength
        return refusal


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is over {limit} bytes.")


def byte_reader(stream: Any) -> Any:
    """Return a reader that fills the buffers it is given."""
    return stream.getReader(to_js({"mode": "byob"}, dict_converter=Object.fromEntries))


class JsDeparture:
    """Implements `lib.http.request.Departure` with the request's abort signal."""

    def __init__(self, signal: Any) -> None:
        self.signal = signal

    @property
    def gone(self) -> bool:
        return bool(self.signal.aborted)

    def departure(self) -> Any:
        """Return a promise that rejects when the client leaves. No Python function is called for it."""
        return rejection(self.signal)


def rejection(signal: Any) -> Any:
    """Return a promise that rejects when a signal aborts."""
    aborted = js.Promise.withResolvers()
    if signal.aborted:
        aborted.reject(signal.reason)
    else:
        signal.addEventListener("abort", aborted.reject)
    return aborted.promise


def raw_request(request: Any, request_id: str, share: Share) -> RawRequest:
    """Return the pipeline's view of a JavaScript Request."""
    address = urlsplit(request.url)
    headers = JsHeaders(request.headers)
    return RawRequest(
        id=request_id,
        method=request.method,
        path=address.path,
        query=address.query,
        headers=headers,
        body=JsBody(request, headers.get("content-length"), share),
        client=JsDeparture(request.signal),
        share=share,
    )
