"""The declaration of a route: the router, the checks before the handler and the OpenAPI document all come from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from lib.http.response import Response

if TYPE_CHECKING:
    from lib.services import Services

KIB = 1024
MIB = 1024 * KIB


class Dialect(Enum):
    """Whose error shape a route answers with."""

    OPENAI = "openai"
    HEADGATE = "headgate"


class Freshness(Enum):
    """How a caller's key is checked. Both refuse a revoked key at once.

    GATE: from this isolate's cache, confirmed by the organisation's gate when the request is opened. For the AI API.
    STORE: from the store, each time. For everything else.
    """

    GATE = "gate"
    STORE = "store"


class NoQuery(BaseModel):
    """A route that reads nothing from the query."""


# The handler takes the services, the validated request and the principal, which is None on a public route.
Handler = Callable[["Services", Any, Any], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one path.

    `path` may hold `{name}` segments; `{name:path}` as the last one takes the rest, slashes included.
    `permission` is the scope that a caller's key must hold; None makes the route public.
    `operator`: an operator's token is needed instead of a key; the handler is called without a principal.
    `form`: the body comes from an HTML form, and not as JSON.
    `local`: it answers only who calls this machine by one of its own names.
    `responses` maps a status to the model of its body, or to None where there is no JSON body.
    `media_type` is that of the success.
    `errors` are the statuses of errors that only this route's own rules can give; the common ones are known.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    responses: Mapping[int, type[BaseModel] | None]
    permission: str | None
    dialect: Dialect = Dialect.HEADGATE
    freshness: Freshness = Freshness.STORE
    body: type[BaseModel] | None = None
    query: type[BaseModel] = NoQuery
    max_body_bytes: int = 64 * KIB
    idempotent: bool = False
    errors: tuple[int, ...] = ()
    description: str = ""
    media_type: str = "application/json"
    operator: bool = False
    form: bool = False
    local: bool = False
