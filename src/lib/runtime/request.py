"""The platform's request as the pipeline sees it. Each look at a JavaScript object costs, so it is asked once."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import js
from js import Object
from pyodide.ffi import JsException, jsnull, to_js

from lib.http.errors import BadRequest, PayloadTooLarge
from lib.http.request import RawRequest


class JsHeaders:
    """Implements `lib.http.request.Headers`."""

    def __init__(self, headers: Any) -> None:
        self._headers = headers

    def get(self, name: str) -> str | None:
        value = self._headers.get(name)
        return None if value is jsnull or value is None else str(value)


class JsBody:
    """Implements `lib.http.request.BodyReader`."""

    def __init__(self, request: Any, length: str | None) -> None:
        self._request = request
        self._length = length

    async def read(self, limit: int) -> bytes:
        if self._length is not None and self._length.isascii() and self._length.isdigit():
            if int(self._length[:20]) > limit:
                raise PayloadTooLarge(f"The body is over {limit} bytes.")
            try:
                return bytes((await self._request.arrayBuffer()).to_bytes())
            except JsException:
                raise BadRequest("The body broke off.") from None
        return await self._read_unannounced(limit)

    async def _read_unannounced(self, limit: int) -> bytes:
        """Read a chunked body piece by piece, so that one without an end is refused at the limit."""
        if self._request.body is jsnull or self._request.body is None:
            return b""
        reader = self._request.body.getReader(to_js({"mode": "byob"}, dict_converter=Object.fromEntries))
        pieces: list[bytes] = []
        size = 0
        try:
            while not (read := await reader.read(js.Uint8Array.new(64 * 1024))).done:
                pieces.append(read.value.to_bytes())
                size += len(pieces[-1])
                if size > limit:
                    raise PayloadTooLarge(f"The body is over {limit} bytes.")
        except JsException:
            raise BadRequest("The body broke off.") from None
        return b"".join(pieces)


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


def raw_request(request: Any, request_id: str) -> RawRequest:
    """Return the pipeline's view of a JavaScript Request."""
    address = urlsplit(request.url)
    headers = JsHeaders(request.headers)
    return RawRequest(
        id=request_id,
        method=request.method,
        path=address.path,
        query=address.query,
        headers=headers,
        body=JsBody(request, headers.get("content-length")),
        client=JsDeparture(request.signal),
    )
