"""Lists that are sent whole, page by page, as one JSON object a line (NDJSON)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from pydantic import BaseModel

from lib.http import json_body, render
from lib.http.request import Validated
from lib.http.response import LogFacts, Response
from lib.http.streaming import ReaderLost, StreamedBody, Streams
from lib.store.database import StoreUnavailable

MEDIA_TYPE = "application/x-ndjson"


def export(
    streams: Streams, request: Validated[Any, Any], filename: str, pages: AsyncIterator[Sequence[BaseModel]]
) -> Response:
    """Answer with all pages as a file. For HEAD nothing is read."""
    headers = {
        **render.JSON,
        "content-type": MEDIA_TYPE,
        "content-disposition": f'attachment; filename="{filename}"',
    }
    if request.head_only:
        return Response(200, headers)
    stream = streams.open(request.client)

    async def finish() -> LogFacts:
        return await send(stream, pages)

    return Response(200, headers, stream.body, finish=finish)


async def send(stream: StreamedBody, pages: AsyncIterator[Sequence[BaseModel]]) -> LogFacts:
    """Write all pages. Whatever goes wrong, the body breaks off: one that ends in order is whole."""
    sent = 0
    try:
        async for page in pages:
            await stream.write(b"".join(json_body.dump(entry) + b"\n" for entry in page))
            sent += len(page)
        await stream.end()
    except ReaderLost:
        await stream.break_off()
        return {"exported": sent, "export": "client_gone"}
    except StoreUnavailable as failure:
        await stream.break_off()
        return {"exported": sent, "export": "store_unavailable", "reason": str(failure)}
    except BaseException:
        await stream.break_off()
        raise
    return {"exported": sent, "export": "whole"}
