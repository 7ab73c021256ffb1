"""The declaration of a route: the router, the checks before the handler and the OpenAPI document all come from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import NoneType
from typing import Any, TypedDict, Unpack, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from lib.http.dialect import HEADGATE, Dialect
from lib.http.request import Validated
from lib.http.response import Response

KIB = 1024
MIB = 1024 * KIB


class Freshness(Enum):
    """How a caller's key is checked. Both refuse a revoked key at once.

    GATE: from this isolate's cache, confirmed by the organisation's gate when the request is opened. For the AI API.
    STORE: from the store, each time. For everything else.
    """

    GATE = "gate"
    STORE = "store"


class NoQuery(BaseModel):
    """A route that reads nothing from the query."""


# The handler takes the parts (`lib.web.app.App`), the validated request and the principal; None on a public route.
Handler = Callable[[Any, Any, Any], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one path. Most of the management API's are declared by a `Kind`: see below.

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
    dialect: Dialect = HEADGATE
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


class Rare(TypedDict, total=False):
    """What only some routes say: see `Route`. `status` is that of the success.

    `cached`: who has the current version already, by its ETag, is answered 304.
    """

    status: int
    cached: bool
    errors: tuple[int, ...]
    max_body_bytes: int
    media_type: str
    operator: bool
    form: bool
    local: bool


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of route, which is called to declare one of the management API with the house's defaults.

    The success is `status`, or else 200, or 204 where nothing is told; the body and the query are what the handler
    takes; and a POST of a known caller is idempotent.
    """

    method: str
    status: int | None = None
    errors: tuple[int, ...] = ()

    def __call__(
        self,
        path: str,
        permission: str | None,
        handler: Handler,
        returns: type[BaseModel] | None,
        summary: str,
        description: str = "",
        **rare: Unpack[Rare],
    ) -> Route:
        body, query = _taken_by(handler)
        more: dict[str, Any] = {**rare, "errors": (*self.errors, *rare.get("errors", ()))}
        responses = {more.pop("status", self.status) or (200 if returns else 204): returns}
        if more.pop("cached", False):
            responses[304] = None
        return Route(
            self.method,
            path,
            handler,
            summary,
            responses,
            permission,
            body=body,
            query=query,
            idempotent=self.method == "POST" and permission is not None,
            description=description,
            **more,
        )


read = Kind("GET")
make = Kind("POST", 201)
act = Kind("POST")
change = Kind("PATCH", errors=(412, 428))  # of a version that the caller has seen: see `etag.required_match`
remove = Kind("DELETE")


def _taken_by(handler: Handler) -> tuple[type[BaseModel] | None, type[BaseModel]]:
    """Return the models of the body and the query of a handler's `request: Validated[body, query]`, of the first such
    where it takes several.
    """
    _, request, *_ = get_type_hints(handler).values()
    while get_origin(request) is not Validated:
        request = get_args(request)[0]
    body, query = get_args(request)
    return (None if body is NoneType else body), query
