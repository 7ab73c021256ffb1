"""Calls to identity providers with the platform's own `fetch`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import js
from js import Object
from pyodide.ffi import JsException, jsnull, to_js

from lib.identity.oidc_client import MOST_BYTES, TIMEOUT_SECONDS, ProviderAnswer, ProviderFailure


class JsProviderHttp:
    """Implements `lib.identity.oidc_client.ProviderHttp`."""

    async def get(self, url: str, headers: Mapping[str, str]) -> ProviderAnswer:
        return await _ask(url, {"method": "GET", "headers": dict(headers)})

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> ProviderAnswer:
        return await _ask(url, {"method": "POST", "headers": dict(headers), "body": body})


async def _ask(url: str, options: dict[str, Any]) -> ProviderAnswer:
    signal = js.AbortSignal.timeout(TIMEOUT_SECONDS * 1000)
    options = {**options, "redirect": "manual", "signal": signal}
    try:
        response = await js.fetch(url, to_js(options, dict_converter=Object.fromEntries))
        return ProviderAnswer(int(response.status), await _read(response))
    except JsException:
        why = "no answer in time" if signal.aborted else "no answer"
        raise ProviderFailure(f"{url.partition('?')[0]}: {why}") from None


async def _read(response: Any) -> bytes:
    """Read piece by piece, so that a body without an end is refused at the limit, however it is encoded."""
    if response.body is jsnull or response.body is None:
        return b""
    reader = response.body.getReader()
    pieces: list[bytes] = []
    size = 0
    while not (read := await reader.read()).done:
        pieces.append(read.value.to_bytes())
        size += len(pieces[-1])
        if size > MOST_BYTES:
            await reader.cancel()
            raise ProviderFailure(f"its answer is over {MOST_BYTES} bytes")
    return b"".join(pieces)
