"""Lists that are sent whole, page by page, as one JSON object a line (NDJSON)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from pydantic import BaseModel

from lib.http import json_body
from lib.http.response import LogFacts
from lib.http.streaming import ReaderLost, StreamedBody
from lib.store.database import StoreUnavailable

MEDIA_TYPE = "application/x-ndjson"


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
