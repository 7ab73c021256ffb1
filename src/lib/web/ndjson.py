"""Lists that are sent whole, page by page, as one JSON object a line (NDJSON)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pydantic import BaseModel, ConfigDict

from lib.http.request import Validated
from lib.http.response import LogFacts, Response
from lib.http.streaming import ReaderLost, StreamedBody, Streams
from lib.kernel import json_body
from lib.store.database import StoreUnavailable
from lib.web import render

MEDIA_TYPE = "application/x-ndjson"
# What is written at a time, so that the text of a page is never whole in memory beside its rows.
WRITE_LINES = 500
# What an export is counted for in the isolate's memory: the rows of a page, as they come and as they are read.
HELD_BYTES = 4 * 1024 * 1024


class ExportMeta(BaseModel):
    """Where an export goes on. `next_cursor` is null where it is whole."""

    model_config = ConfigDict(extra="forbid")
    next_cursor: str | None


class ExportEnd(BaseModel):
    """The last line of an export that ended in order. Ask again with `cursor` until `meta.next_cursor` is null."""

    model_config = ConfigDict(extra="forbid")
    meta: ExportMeta


WHY = "An export is a stream of lines, and begins before its end is known."


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines, made as they are written, and the cursor behind them; None where nothing is left."""

    lines: Iterable[BaseModel]
    cursor: str | None


def export(streams: Streams, request: Validated[Any, Any], filename: str, parts: AsyncIterator[Part]) -> Response:
    """Answer with all parts as a file. For HEAD nothing is read."""
    headers = {
        **render.JSON,
        "content-type": MEDIA_TYPE,
        "content-disposition": f'attachment; filename="{filename}"',
    }
    if request.head_only:
        return Response(200, headers)
    stream = streams.open(request.client)

    async def finish() -> LogFacts:
        return await send(stream, parts)

    return Response(200, headers, stream.body, finish=finish)


async def send(stream: StreamedBody, parts: AsyncIterator[Part]) -> LogFacts:
    """Write all parts, of which there is one at least, and a last line that tells where the export goes on.

    Whatever goes wrong, the body breaks off without that line.
    """
    sent, cursor = 0, None
    try:
        async for part in parts:
            lines = iter(part.lines)
            while texts := [json_body.dump(line) + b"\n" for line in islice(lines, WRITE_LINES)]:
                await stream.write(b"".join(texts))
                sent += len(texts)
            cursor = part.cursor
        await stream.write(json_body.dump(ExportEnd(meta=ExportMeta(next_cursor=cursor))) + b"\n")
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
    return {"exported": sent, "export": "goes_on" if cursor else "whole"}
