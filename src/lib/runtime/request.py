"""The platform's request as the pipeline sees it. Each look at a JavaScript object costs, so it is asked once."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import js
from js import Object
from pydantic_core import from_json
from pyodide.ffi import JsException, create_once_callable, jsnull, to_js

from lib.http.memory import STRANGERS, STRANGERS_BYTES, Share
from lib.http.request import Known, RawRequest
from lib.kernel.errors import BadRequest, PayloadTooLarge, RequestTimeout
from lib.web.validate import LARGE_BYTES

BUFFER_BYTES, SMALL_BUFFER_BYTES = 256 * 1024, 16 * 1024
# A small body has so long to come; of a large one so much must come in so long: 8 MiB at 4.3 KiB/s, in half an hour.
SMALL_SECONDS = 30.0
PACE_BYTES, PACE_SECONDS = 64 * 1024, 15.0
# Of a body that is refused, so that its client gets to read why.
MOST_DRAINED_BYTES = 64 * 1024 * 1024
DRAINING_SECONDS = 10.0
SILENCE_SECONDS = 0.5


class JsBody:
    """Implements `lib.http.request.BodyReader`. A body is counted twice: its parsed value, or the next body made of it,
    is there before the text is gone; and here JavaScript's copy.
    """

    _reader: Any = None
    _watched = False

    def __init__(self, request: Any, length: str | None, share: Share) -> None:
        self._request = request
        self._length = length
        self._share = share

    async def read(self, limit: int, known: Known) -> bytes:
        try:
            body = await self._read(limit, known)
        except Exception:
            self._share.release()
            await self._drain()
            raise
        self._share.keep(2 * len(body))  # it comes no more
        return body

    async def _read(self, limit: int, known: Known) -> bytes:
        size = int(self._length[:20]) if self._length and self._length.isascii() and self._length.isdigit() else None
        if size is not None and size > limit:
            raise _too_large(limit)
        strangers = self._share.strangers()
        try:
            if size is not None and _is_small(size, strangers):
                self._claim(size, limit, STRANGERS)
                return await self._read_small(alone=not strangers)
            return await self._read_pieces(size or 0, limit, known)
        except JsException:
            raise BadRequest("The body broke off.") from None
        except TimeoutError:
            raise RequestTimeout("The body comes too slowly. Try again.") from None

    async def _read_small(self, *, alone: bool) -> bytes:
        """Read a body that is likely to be there at once. So only beside others a timer is set, which costs."""
        if alone:
            return bytes((await self._request.arrayBuffer()).to_bytes())
        async with asyncio.timeout(SMALL_SECONDS):
            return bytes((await self._request.arrayBuffer()).to_bytes())

    async def _read_pieces(self, announced: int, limit: int, known: Known) -> bytes:
        """Read a body that is large, or whose length nobody has said, as long as it comes at a certain pace."""
        reader = self._open()
        if reader is None:
            return b""
        room = min(announced or PACE_BYTES, BUFFER_BYTES)
        buffer = js.ArrayBuffer.new(room)
        pieces: list[bytes] = []
        size = claimed = 0
        whose = STRANGERS
        while True:
            needed = max(announced, size, room // 2)  # the buffer is there before the first byte
            if needed > claimed:
                if whose == STRANGERS and not _is_small(needed, self._share.strangers()):
                    whose = await known()
                self._claim(needed, limit, whose)
                claimed = needed
            reading = reader.readAtLeast(min(PACE_BYTES, room), js.Uint8Array.new(buffer))
            read = await asyncio.wait_for(reading, PACE_SECONDS)
            if read.done:
                return b"".join(pieces)
            pieces.append(read.value.to_bytes())
            buffer = read.value.buffer
            size += len(pieces[-1])
            if size > limit:
                raise _too_large(limit)

    def _claim(self, size: int, limit: int, whose: str) -> None:
        """Claim the room for so much of it. Raises Unavailable.

        Where only small ones are taken none is refused: a key must be revoked also while others fill the isolate.
        """
        hold = self._share.claim if limit > LARGE_BYTES else self._share.keep
        hold(2 * size, whose)
        if size > LARGE_BYTES and not self._watched:
            # A client that leaves may take the request with it before it comes to an end of its own.
            self._watched = True
            self._request.signal.addEventListener("abort", create_once_callable(self._share.release))

    def _open(self) -> Any:
        """Return the body's reader, or None where there is no body."""
        body = self._request.body
        if self._reader is None and body is not jsnull and body is not None:
            self._reader = byte_reader(body)
        return self._reader

    async def _drain(self) -> None:
        """Read the rest of a body that is refused, and throw it away; or some of it, for a while.

        A client that sends all of its body before it listens sees a broken connection instead of an answer that comes
        before: the server closes it on the bytes that nobody reads. One that waits to be asked for them sends none.
        """
        if self._request.headers.has("expect"):
            return
        drained, until, most = 0, time.time() + DRAINING_SECONDS, SMALL_BUFFER_BYTES
        with suppress(JsException, TimeoutError):  # it has left, or waits for our answer
            reader = self._open()
            while reader and drained < MOST_DRAINED_BYTES and time.time() < until:
                read = await asyncio.wait_for(reader.read(js.Uint8Array.new(most)), SILENCE_SECONDS)
                if read.done:
                    break
                drained += read.value.byteLength
                # Nobody counts this buffer, so one that trickles has a small one.
                most = BUFFER_BYTES if read.value.byteLength == most else SMALL_BUFFER_BYTES


def _is_small(size: int, strangers: int) -> bool:
    """Tell whether a body may come before its caller is known, beside what the others hold of whom that is so."""
    return size <= LARGE_BYTES and strangers + 2 * size <= STRANGERS_BYTES


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is over {limit} bytes.")


def byte_reader(stream: Any) -> Any:
    """Return a reader that fills the buffers it is given."""
    return stream.getReader(to_js({"mode": "byob"}, dict_converter=Object.fromEntries))


class JsDeparture:
    """Implements `lib.http.request.Departure` with the request's abort signal."""

    def __init__(self, request: Any) -> None:
        self._request = request

    @property
    def signal(self) -> Any:
        return self._request.signal

    @property
    def gone(self) -> bool:
        return bool(self.signal.aborted)


def raw_request(request: Any, head: str, request_id: str, share: Share) -> RawRequest:
    """Return the pipeline's view of a JavaScript Request, of which edge.mjs has told the `head`."""
    method, url, headers = from_json(head)
    address = urlsplit(url)
    return RawRequest(
        id=request_id,
        method=method,
        path=address.path,
        query=address.query,
        headers=headers,
        body=JsBody(request, headers.get("content-length"), share),
        client=JsDeparture(request),
        share=share,
    )
