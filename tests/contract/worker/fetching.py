"""What the tests ask of httpx over the platform's `fetch`. Runs in the test Worker."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx

from lib.runtime.fetch_transport import fetch_client


async def fetch_all(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Make calls with one client, one after another; tell of each how it went."""
    client = fetch_client(asked["seconds"], asked["most_bytes"])
    return [await _fetch(client, call) for call in asked["calls"]]


async def _fetch(client: httpx.AsyncClient, call: Mapping[str, Any]) -> dict[str, Any]:
    """`wait`: httpx's own timeout. `leave`: close after so many pieces. `cancel`: after so many seconds."""
    content = _pieces(call["pieces"]) if "pieces" in call else call.get("content", "").encode()
    timeout = {"timeout": call["wait"]} if "wait" in call else {}
    request = client.build_request(call["method"], call["url"], headers=call.get("headers"), content=content, **timeout)
    try:
        async with asyncio.timeout(call.get("cancel")):
            answer = await client.send(request, stream=True, follow_redirects=True)
            return await _told(answer, call.get("leave"))
    except (httpx.HTTPError, TimeoutError, RuntimeError) as error:
        return {"error": type(error).__name__, "why": str(error)}


async def _told(answer: httpx.Response, leave: int | None) -> dict[str, Any]:
    pieces = []
    async for piece in answer.aiter_bytes():
        pieces.append(piece)
        if leave is not None and len(pieces) >= leave:
            break
    await answer.aclose()
    body = base64.b64encode(b"".join(pieces)).decode()
    return {"status": answer.status_code, "headers": dict(answer.headers), "body": body, "pieces": len(pieces)}


async def _pieces(texts: list[str]) -> AsyncIterator[bytes]:
    """Yield each piece in its time; one that is `!` breaks."""
    for text in texts:
        await asyncio.sleep(0.2)
        if text == "!":
            raise RuntimeError("the pieces broke")
        yield text.encode()
