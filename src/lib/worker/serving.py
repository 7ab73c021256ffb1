"""The Worker's side of a request: in from the platform, through the pipeline, out, and one log line at its end."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable, Set
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json
from pyodide.ffi import JsException, to_js

from lib.config import ConfigError
from lib.http.memory import Memory
from lib.http.request import RawRequest
from lib.http.response import Finish, LogFacts, NativeBody, Response
from lib.kernel.errors import Unavailable
from lib.kernel.ids import new_id
from lib.runtime import log, native
from lib.runtime.objects import place
from lib.runtime.request import raw_request
from lib.web import pipeline
from lib.web.app import App
from lib.worker.bootstrap import ROUTER, bootstrap

NO_BODY = (204, 205, 304)  # the platform refuses a body beside these

_parts: App | None = None
_memory = Memory()


async def serve(env: Any, ctx: Any, request: Any) -> Any:
    """Answer one request with a JavaScript Response. Never raises.

    The platform is asked to keep the request alive until its work is settled, also when its client leaves at once.
    """
    started = time.time()
    place.note(request)
    edge = await native.edge()
    raw = raw_request(request, edge.begin(request, ctx), new_id(datetime.now(UTC)), _memory.share())
    response = await _respond(env, raw)
    answered = time.time()

    def end(facts: LogFacts) -> None:
        raw.share.release()
        edge.end(request, _line(raw, response.status, started, answered, facts))

    if response.finish is None:
        end(response.facts)
    else:
        asyncio.ensure_future(_finish(raw.id, response, response.finish, end))  # noqa: RUF006 - `end` is waited for
    try:
        return _to_js(edge, raw, response)
    except JsException as error:  # the platform refuses a status or a header that somebody upstream made up
        log.error("answer_refused", request_id=raw.id, reason=error.message)
        return _to_js(edge, raw, pipeline.failure(ROUTER, raw))


async def _respond(env: Any, raw: RawRequest) -> Response:
    listed: Set[str] = frozenset()
    try:
        parts = app_of(env)
        listed = parts.config.session.cors_origins
        return await pipeline.handle(parts, ROUTER, raw)
    except ConfigError as error:
        log.error("not_configured", request_id=raw.id, reason=str(error))
        failure = Unavailable("Headgate is not configured. Its log says what is missing.", code="not_configured")
        return pipeline.refused(ROUTER, raw, failure)
    except Exception:  # noqa: BLE001 - the last place that can answer: what gets here is a defect of ours
        log.error("internal_error", request_id=raw.id, traceback=traceback.format_exc())
        return pipeline.failure(ROUTER, raw, listed)


async def _finish(request_id: str, response: Response, finish: Finish, end: Callable[[LogFacts], None]) -> None:
    facts = response.facts
    try:
        facts = {**facts, **await finish()}
    except Exception as failure:  # noqa: BLE001 - nobody waits for this task, so its failure must at least be told
        facts = {**facts, **getattr(failure, "facts", {})}
        log.error("settlement_broke", request_id=request_id, traceback=traceback.format_exc())
    finally:
        end(facts)


def _line(raw: RawRequest, status: int, started: float, answered: float, facts: LogFacts) -> str:
    line = {
        "level": "info",
        "event": "request",
        "request_id": raw.id,
        "method": raw.method,
        "status": status,
        "answered_ms": round((answered - started) * 1000),
        "duration_ms": round((time.time() - started) * 1000),
        **facts,
    }
    return log.text_of(line)


def _to_js(edge: native.Edge, raw: RawRequest, response: Response) -> Any:
    headers = {"x-request-id": raw.id, **response.headers, "x-headgate-request-id": raw.id}
    body: Any = response.body
    if raw.method == "HEAD" or response.status in NO_BODY:
        body = None
    elif isinstance(body, bytes):
        body = to_js(body)
    elif body is not None:
        body = _native(body)
    return edge.respond(body, to_json((response.status, headers, response.cookies)).decode())


def _native(body: NativeBody) -> Any:
    return body.native


def app_of(env: Any) -> App:
    """Return the isolate's parts; they are wired at its first request, when the bindings are there."""
    global _parts  # noqa: PLW0603 - an isolate lives longer than a request, and has no other place
    if _parts is None:
        _parts = bootstrap(env)
    return _parts
