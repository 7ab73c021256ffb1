"""Headgate's entry with one constant answer behind each way to tell who calls. No deploy has it.

The routes go through the real pipeline, under the AI API's path. They differ in nothing but how the caller is found:

anonymous  nobody is asked for
cached     as on the AI API: from the isolate's memory, which a gate has to confirm (there the admission does, too)
confirmed  the same, and the gate is asked whether that still holds, with nothing else in the call
stored     as on the management API: from the store, each time
password   nobody is asked for; one password is verified, at the deployment's cost
"""

from __future__ import annotations

from lib.access.principal import Permission
from lib.gateway.callers.caller import Caller
from lib.gateway.formats.openai.dialect import OPENAI
from lib.http.request import Validated
from lib.http.response import Response
from lib.web import render
from lib.web.app import App
from lib.web.operation import NoQuery
from lib.web.route import Freshness, Route
from routes import ROUTES
from routes.health import Live


async def answer(_parts: App, _request: Validated[None, NoQuery], _caller: object) -> Response:
    """Answer always the same."""
    return render.bare(Live())


async def confirmed(parts: App, _request: Validated[None, NoQuery], caller: Caller) -> Response:
    """Answer once the caller's gate has said that nothing has changed."""
    await parts.gateway.gates.confirm(caller)
    return render.bare(Live())


async def password(parts: App, _request: Validated[None, NoQuery], _caller: None) -> Response:
    """Verify a password of nobody, which is as much work as somebody's."""
    parts.passwords.verify(None, "a password of nobody")
    return render.bare(Live())


for name, handler, permission, freshness in (
    ("anonymous", answer, None, Freshness.STORE),
    ("cached", answer, Permission.MODELS_READ, Freshness.GATE),
    ("confirmed", confirmed, Permission.MODELS_READ, Freshness.GATE),
    ("stored", answer, Permission.MODELS_READ, Freshness.STORE),
    ("password", password, None, Freshness.STORE),
):
    ROUTES.append(
        Route(
            method="GET",
            path=f"/v1/bench/{name}",
            handler=handler,
            summary="Answer always the same",
            responses={200: Live},
            permission=permission,
            dialect=OPENAI,
            freshness=freshness,
        )
    )

from entry import Default, Gate, Guard  # noqa: E402 - it makes the router from what ROUTES then holds

__all__ = ["Default", "Gate", "Guard"]
