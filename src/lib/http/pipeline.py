"""The way of a request: route → credential → validate → authenticate → (idempotency) → handler → respond.

Each stage hands on a narrower value; there is no bag of request state.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lib.gateway.account import Account, StaleAccount
from lib.http import idempotency, render
from lib.http.errors import HeadgateError, InternalError, Unavailable
from lib.http.request import RawRequest, Validated
from lib.http.response import Response
from lib.http.route import Dialect, Route
from lib.http.router import Router
from lib.http.validate import check_uri, validate
from lib.identity.authentication import authenticate, credential
from lib.identity.models import Principal
from lib.services import Services
from lib.store.database import StoreUnavailable

# How often a request is decided anew because its organisation's policy changed under it.
MOST_DECISIONS = 4


async def handle(services: Services, router: Router, raw: RawRequest) -> Response:
    """Answer one request. Raises only what is a defect of ours."""
    dialect = dialect_of(raw.path)
    facts: dict[str, object] = {}
    try:
        check_uri(raw)
        route, path = router.match(raw.method, raw.path)
        dialect = route.dialect
        facts["route"] = route.path
        # Who shows no credential at all is refused before a byte of the body is read.
        key = credential(raw) if route.permission is not None else None
        request = await validate(route, raw, path)
        response = await _decide(services, route, request, key, facts)
    except HeadgateError as failure:
        response = render.error(failure, dialect, raw.id)
    except StoreUnavailable as failure:
        facts["reason"] = str(failure)
        response = render.error(Unavailable("The store can't be reached. Try again."), dialect, raw.id)
    return replace(response, facts={**facts, **response.facts})


def failure(raw: RawRequest) -> Response:
    """Return the answer to a request that met a defect of ours."""
    return render.error(InternalError(), dialect_of(raw.path), raw.id)


def dialect_of(path: str) -> Dialect:
    """Return whose error shape a path gets, known route or not."""
    return Dialect.OPENAI if path == "/v1" or path.startswith("/v1/") else Dialect.HEADGATE


async def _decide(
    services: Services, route: Route, request: Validated[Any, Any], key: str | None, facts: dict[str, object]
) -> Response:
    if key is None:
        return await route.handler(services, request, None)
    for _ in range(MOST_DECISIONS):
        caller = await authenticate(services, route, key)
        principal = caller.principal if isinstance(caller, Account) else caller
        facts.update(org_id=principal.org_id, principal=f"key:{principal.key_id}")
        try:
            return await _run(services, route, request, caller, principal)
        except StaleAccount:
            continue
    raise Unavailable("The organisation's policy is changing. Try again.")


async def _run(
    services: Services, route: Route, request: Validated[Any, Any], caller: Principal | Account, principal: Principal
) -> Response:
    async def run() -> Response:
        return await route.handler(services, request, caller)

    repeat_key = request.headers.get("idempotency-key") if route.idempotent else None
    if repeat_key is None:
        return await run()
    return await idempotency.once(services, principal, route, request, repeat_key, run)
