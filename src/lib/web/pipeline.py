"""The way of a request: route → credential → validate → authenticate → authorise → (idempotency) → handler → respond.

Each stage hands on a narrower value; there is no bag of request state.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Set
from typing import Any

from lib.access.principal import Principal
from lib.gateway.callers.caller import Caller, StaleAccount
from lib.gateway.callers.callers import Callers
from lib.http.context import context_of
from lib.http.dialect import HEADGATE, Dialect
from lib.http.memory import STRANGERS
from lib.http.request import RawRequest, Validated
from lib.http.response import Finish, LogFacts, Response
from lib.kernel import failures
from lib.kernel.errors import BadRequest, Forbidden, HeadgateError, InternalError, Unavailable
from lib.kernel.failures import Failure
from lib.store.database import StoreUnavailable, UnstorableValue
from lib.web import browsers, cors, credentials, idempotency, refusals, render
from lib.web.app import App
from lib.web.authentication import authenticate, authorise, require_operator
from lib.web.credentials import Credential
from lib.web.own_machine import require_own_machine
from lib.web.route import Route
from lib.web.router import Router
from lib.web.validate import check_uri, validate

# A write's answer tells how far the store has come; a read that presents it sees that write, wherever it is answered.
BOOKMARK = "x-headgate-bookmark"
_BOOKMARK = re.compile(r"[0-9a-f]{1,64}(-[0-9a-f]{1,64}){1,7}")

# What ends a request with an answer that is no success. All else is a defect of ours.
REFUSALS = (HeadgateError, StoreUnavailable, UnstorableValue)

# How often a request is decided anew because its organisation's policy changed under it.
MOST_DECISIONS = 4


async def handle(parts: App, router: Router, raw: RawRequest) -> Response:
    """Answer one request. Raises only what is a defect of ours. Its database is closed on every way out."""
    dialect = router.dialect_of(raw.path)
    parts = parts.for_request(_bookmark(raw, dialect), context_of(raw))
    database = parts.database
    facts: dict[str, object] = {}
    try:
        response = await _answer(parts, router, raw, dialect, facts)
    except BaseException:
        await database.close()
        raise
    cost, bookmark = database.cost, database.bookmark
    finish = _closing(parts, response.finish) if database.connected or response.finish or parts.written else None
    if parts.callers.unpublished:
        finish = _publishing(parts.callers, finish)
    origins, origin = parts.config.session.cors_origins, raw.headers.get("origin")
    headers = {**response.headers, **cors.headers(origin, origins, router.exposed)}
    if bookmark:
        headers[BOOKMARK] = bookmark
    facts = {**facts, **response.facts, "db_queries": cost.queries, "db_ms": cost.milliseconds}
    return Response(response.status, headers, response.body, facts, finish, response.cookies)


async def _answer(parts: App, router: Router, raw: RawRequest, dialect: Dialect, facts: dict[str, object]) -> Response:
    try:
        if cors.is_preflight(raw):
            return _preflight(parts, router, raw, dialect)
        check_uri(raw)
        route, path = router.match(raw.method, raw.path)
        facts["route"] = route.path
        # Who shows no credential at all is refused before a byte of the body is read.
        credential = credentials.read(parts, raw) if route.permission is not None else None
        if route.local:
            require_own_machine(raw)
        if route.operator:
            require_operator(parts, raw)

        async def known() -> str:
            return await _organisation(parts, route, raw, credential)

        request = await validate(route, raw, path, known)
        return await _decide(parts, router, route, request, credential, facts)
    except REFUSALS as failure:  # the caller is not known
        return refused(router, raw, _error(failure, facts))


async def _organisation(parts: App, route: Route, raw: RawRequest, credential: Credential | None) -> str:
    """Return whose request it is, before its body is read; raises what `authenticate` does. Who calls is asked again
    when that has come, since it may take minutes: so the store's connection does not wait for it either.
    """
    if credential is None:
        return STRANGERS
    try:
        return _principal(await authenticate(parts, route, credential, raw.headers)).org_id
    finally:
        await parts.database.close()


def _principal(caller: Principal | Caller) -> Principal:
    return caller.principal if isinstance(caller, Caller) else caller


def refused(router: Router, raw: RawRequest, error: HeadgateError, listed: Set[str] = frozenset()) -> Response:
    """Return the answer to somebody unknown; a page that asks can read it: on the AI API any, else a `listed` one's."""
    dialect = router.dialect_of(raw.path)
    answer = render.error(error, dialect, raw.id)
    readable = browsers.anybody(raw.headers, router.exposed) if dialect.from_pages else {}
    readable |= cors.headers(raw.headers.get("origin"), listed, router.exposed)
    return answer._replace(headers={**answer.headers, **readable})


def _error(failure: Exception, facts: dict[str, object]) -> HeadgateError:
    """Return what a client is told of one of REFUSALS."""
    if isinstance(failure, HeadgateError):
        return failure
    if isinstance(failure, UnstorableValue):
        return BadRequest(f"A value can't be stored: {failure}.")
    failures.note(Failure.STORE_AWAY, str(failure))
    facts["reason"] = str(failure)
    return Unavailable("The store can't be reached. Try again.")


def _preflight(parts: App, router: Router, raw: RawRequest, dialect: Dialect) -> Response:
    """Answer by the deployment's list of origins; on the AI API also to others: their pages may have a key."""
    origins = parts.config.session.cors_origins
    if dialect.from_pages and raw.headers.get("origin") not in origins:
        return browsers.preflight(raw, router)
    return cors.preflight(raw, router, origins)


def _closing(parts: App, finish: Finish | None) -> Finish:
    """Close the connection when the answer has begun, and link the events of the request: no client waits for that.

    What is left to do may take minutes and need no store; where it does, it connects again, and that is closed too.
    """

    async def close() -> LogFacts:
        if database.connected and finish:
            await database.close()
        try:
            return await finish() if finish else {}
        finally:
            if database.connected or parts.written:
                await _ended(parts)

    database = parts.database
    return close


async def _ended(parts: App) -> None:
    try:
        if parts.written:
            from lib.audit import linking  # noqa: PLC0415 - of changes alone, and memory at the start is full

            await linking.link_written(parts)
    finally:
        await parts.database.close()


def _publishing(accounts: Callers, finish: Finish | None) -> Finish:
    """Tell KV what was read, when the answer has begun: beside the rest, which may last as long as a stream."""

    async def publish() -> LogFacts:
        published = asyncio.ensure_future(accounts.publish())
        facts = await finish() if finish else {}
        await published
        return facts

    return publish


def _both(first: Finish | None, then: Finish | None) -> Finish | None:
    """Return what does both, one behind the other: they share the request's database."""
    if first is None or then is None:
        return first or then

    async def both() -> LogFacts:
        return {**await first(), **await then()}

    return both


def _bookmark(raw: RawRequest, dialect: Dialect) -> str | None:
    """Return how far the client has seen the store; None where it tells nothing that can be a bookmark.

    The AI API has no use for it, and each look at a header costs.
    """
    bookmark = raw.headers.get(BOOKMARK) if dialect is HEADGATE else None
    return bookmark if bookmark and _BOOKMARK.fullmatch(bookmark) else None


def failure(router: Router, raw: RawRequest, listed: Set[str] = frozenset()) -> Response:
    """Return the answer to a request that met a defect of ours. Pages of `listed` origins may read it too."""
    return refused(router, raw, InternalError(), listed)


async def _decide(
    parts: App,
    router: Router,
    route: Route,
    request: Validated[Any, Any],
    credential: Credential | None,
    facts: dict[str, object],
) -> Response:
    if credential is None:
        return await route.handler(parts, request, None)
    told: int | None = None  # the version that a gate has told this request
    for _ in range(MOST_DECISIONS):
        caller = await authenticate(parts, route, credential, request.headers)
        if told is not None and isinstance(caller, Caller):
            caller = caller.since(told)
        principal = _principal(caller)
        facts.update(org_id=principal.org_id, principal=principal.actor)
        try:
            await authorise(parts, route, caller, request.headers)
            response = await _run(parts, route, request, caller, principal)
        except StaleAccount as stale:
            told = stale.version
            continue
        except REFUSALS as failure:
            error = _error(failure, facts)
            if isinstance(error, Forbidden):
                error.finish = _both(error.finish, refusals.note(parts, route, request.path, principal, error))
            response = render.error(error, route.dialect, request.id)
        readable = browsers.headers(principal, request.headers, router.exposed)
        return response._replace(headers={**response.headers, **readable}) if readable else response
    raise Unavailable("The organisation's policy is changing. Try again.")


async def _run(
    parts: App, route: Route, request: Validated[Any, Any], caller: Principal | Caller, principal: Principal
) -> Response:
    repeat_key = request.headers.get("idempotency-key") if route.idempotent else None
    if repeat_key is None:
        return await route.handler(parts, request, caller)

    async def run() -> Response:
        return await route.handler(parts, request, caller)

    return await idempotency.once(parts, principal, route, request, repeat_key, run)
