"""`/livez` and `/readyz`: for load balancers and for `make dev`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from pydantic import BaseModel

from lib.http.request import Validated
from lib.http.response import Response
from lib.kernel import failures
from lib.kernel.failures import Failure
from lib.store.database import ScopeLost
from lib.web import render
from lib.web.app import App
from lib.web.operation import NoQuery, Plain
from lib.web.route import Route, read

CHECK_SECONDS = 2.0


Condition = Literal["ok", "failed", "timeout", "misconfigured"]


class Live(BaseModel):
    """Says that the isolate runs."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Whether each dependency answers: `ok`, `failed`, or `timeout` after two seconds. Why is in the log.

    `misconfigured` is a database that does not show each organisation its own rows and no others: see "PostgreSQL
    instead of D1" in the deployment's guide. `milliseconds` is how long each took: how far it is from where this
    request was taken. `failures` counts what has failed since this isolate began, by the names in the log's
    `dependency_failed` lines. `without` names what this deployment has not got, and can do without.
    """

    status: Literal["ok", "unavailable"]
    checks: dict[str, Condition]
    milliseconds: dict[str, int]
    failures: dict[str, int]
    without: list[str]


async def live(_: Plain) -> Response:
    """Answer that the isolate runs. Asks nothing else."""
    return render.bare(Live())


async def ready(parts: App, _request: Validated[None, NoQuery], _caller: None) -> Response:
    """Try every dependency, side by side and bounded in time; 503 when one is not well."""
    names = list(parts.checks)
    tried = await asyncio.gather(*(_try(parts, parts.checks[name]) for name in names))
    results = [result for result, _ in tried]
    well = all(result == "ok" for result in results)
    body = Ready(
        status="ok" if well else "unavailable",
        checks=dict(zip(names, results, strict=True)),
        milliseconds={name: took for name, (_, took) in zip(names, tried, strict=True)},
        failures=dict(failures.counts()),
        without=list(parts.without),
    )
    response = render.bare(body, status=200 if well else 503)
    if not well:
        response = Response(503, {**response.headers, "retry-after": "1"}, response.body, {"checks": body.checks})
    return response


async def _try(parts: App, check: Callable[[App], Awaitable[None]]) -> tuple[Condition, int]:
    started = parts.clock.now()
    result = await _result(parts, check)
    return result, max(0, round((parts.clock.now() - started).total_seconds() * 1000))


async def _result(parts: App, check: Callable[[App], Awaitable[None]]) -> Condition:
    try:
        await asyncio.wait_for(check(parts), CHECK_SECONDS)
    except TimeoutError:
        return "timeout"
    except ScopeLost as error:
        failures.note(Failure.STORE_SCOPE, str(error))
        return "misconfigured"
    except Exception:  # noqa: BLE001 - whatever a dependency does, the answer is that it is not well
        return "failed"
    return "ok"


ROUTES = [
    read("/livez", None, live, "Tell whether this isolate runs", http="It has no envelope.", returns=Live),
    Route(
        method="GET",
        path="/readyz",
        handler=ready,
        summary="Tell whether every dependency answers",
        responses={200: Ready, 503: Ready},
        permission=None,
    ),
]
