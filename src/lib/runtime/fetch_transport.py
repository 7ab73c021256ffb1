"""httpx over the platform's `fetch`: the way out for every call that is not the AI API's own.

What comes back is somebody else's: it has a size and a time, it leads nowhere else, and it leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import httpx
import js
from js import Object
from pyodide.ffi import JsException, jsnull, to_js

# `fetch` says the first by itself. A cookie is no call's own: one caller's would go out with another's.
_NOT_SENT = ("host", "connection", "content-length", "transfer-encoding", "accept-encoding", "cookie")
_NOT_SHOWN = ("content-encoding", "content-length", "transfer-encoding", "set-cookie")
_UNPACKED = ("gzip", "br", "identity")  # by the platform, so what is counted is what came out


def fetch_client(seconds: float, most_bytes: int) -> httpx.AsyncClient:
    """Return a client whose calls last `seconds` in all and bring `most_bytes` at most. An isolate's requests share it.

    Its errors are httpx's: `TimeoutException`; `ConnectError` before an answer, `ReadError` within one.
    """
    transport = FetchTransport(seconds, most_bytes)
    return httpx.AsyncClient(transport=transport, timeout=seconds, trust_env=False, headers={"user-agent": "headgate"})


class FetchTransport(httpx.AsyncBaseTransport):
    """One `fetch` a request. Of httpx's timeouts `read` holds, for each wait: `fetch` tells no others apart.

    A redirect is an answer like others, without its `location`: a secret would go to where nobody has configured.
    """

    def __init__(self, seconds: float, most_bytes: int) -> None:
        self._seconds = seconds
        self._most_bytes = most_bytes

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol("only http and https")
        call = _Call(self._seconds, request.extensions.get("timeout", {}).get("read"))
        native = await call.within(call.fetched(request), httpx.ConnectError)
        headers: dict[str, str] = json.loads(js.JSON.stringify(Object.fromEntries(native.headers)))
        if headers.get("content-encoding", "identity").lower() not in _UNPACKED:
            call.end()  # httpx would unpack it, however large that becomes
            raise httpx.DecodingError("an encoding that nobody has asked for")
        status = int(native.status)
        hidden = (*_NOT_SHOWN, "location") if 300 <= status < 400 else _NOT_SHOWN
        shown = [(name.encode(), text.encode(errors="replace")) for name, text in headers.items() if name not in hidden]
        return httpx.Response(status, headers=shown, stream=_Answer(call, native.body, self._most_bytes))


class _Call:
    """One call from its beginning to its end, whoever ends it."""

    def __init__(self, seconds: float, wait_seconds: float | None) -> None:
        self._wait_seconds = wait_seconds
        self._controller = js.AbortController.new()
        self._over = js.AbortSignal.timeout(int(seconds * 1000))
        self._signal = js.AbortSignal.any(to_js([self._controller.signal, self._over]))
        self._sending: asyncio.Future[None] | None = None
        self._broken: Exception | None = None

    def fetched(self, request: httpx.Request) -> Awaitable[Any]:
        """Return the promise of an answer."""
        options = {
            "method": request.method,
            "headers": [[name, text] for name, text in request.headers.multi_items() if name not in _NOT_SENT],
            "redirect": "manual",
            "signal": self._signal,
        }
        if isinstance(request.stream, httpx.ByteStream):
            options |= {"body": body} if (body := b"".join(request.stream)) else {}
        else:
            options["body"] = self._sent(request)
        promise: Awaitable[Any] = js.fetch(str(request.url), to_js(options, dict_converter=Object.fromEntries))
        return promise

    async def within(self, promise: Awaitable[Any], failure: type[httpx.TransportError]) -> Any:
        """Wait for the other side. Whatever ends the waiting but its answer ends the call."""
        try:
            async with asyncio.timeout(self._wait_seconds):
                return await promise
        except TimeoutError:
            self.end()
            raise httpx.ReadTimeout("no answer in time") from None
        except JsException:
            self.end()
            if self._broken is not None:
                raise self._broken from None
            raise (httpx.ReadTimeout("no answer in time") if self._over.aborted else failure("no answer")) from None
        except asyncio.CancelledError:
            self.end()
            raise

    def end(self) -> None:
        """Let go of the connection. Nothing happens to a call that is over."""
        if self._sending is not None:
            self._sending.cancel()
        self._controller.abort()

    def _sent(self, request: httpx.Request) -> Any:
        """Return the stream that the request's pieces go through while `fetch` reads it."""
        length = request.headers.get("content-length")
        pipe = js.FixedLengthStream.new(int(length)) if length else js.IdentityTransformStream.new()
        self._sending = asyncio.ensure_future(self._send(request.stream, pipe.writable.getWriter()))
        return pipe.readable

    async def _send(self, pieces: Any, writer: Any) -> None:
        try:
            async for piece in pieces:
                await writer.write(to_js(piece))
            await writer.close()
        except JsException:  # nobody reads on: the answer, or that there is none, says why
            return
        except Exception as error:  # noqa: BLE001 - the caller's own: it gets it where it waits for the answer
            self._broken = error
            self._controller.abort()


class _Answer(httpx.AsyncByteStream):
    """An answer's body, piece by piece, up to its limit. To close it is to cancel the call."""

    def __init__(self, call: _Call, body: Any, most_bytes: int) -> None:
        self._call = call
        self._body = body
        self._most_bytes = most_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._body is None or self._body is jsnull:
            return
        reader, size = self._body.getReader(), 0
        while not (read := await self._call.within(reader.read(), httpx.ReadError)).done:
            piece = bytes(read.value.to_bytes())
            size += len(piece)
            if size > self._most_bytes:
                self._call.end()
                raise httpx.ReadError(f"the answer is over {self._most_bytes} bytes")
            yield piece

    async def aclose(self) -> None:
        self._call.end()
