"""The declaration of a route: the router, the checks before the handler and the OpenAPI document all come from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial, wraps
from types import NoneType
from typing import Any, TypedDict, Unpack, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from lib.access.principal import Principal
from lib.http import etag
from lib.http.dialect import HEADGATE, Dialect
from lib.http.request import Validated
from lib.http.response import Response
from lib.web import render
from lib.web.app import App
from lib.web.operation import Call, Listing, NoQuery, Operation
from lib.web.render import One, Page, Told

KIB = 1024
MIB = 1024 * KIB


class Freshness(Enum):
    """How a caller's key is checked. Both refuse a revoked key at once.

    GATE: from this isolate's cache, confirmed by the organisation's gate when the request is opened. For the AI API.
    STORE: from the store, each time. For everything else.
    """

    GATE = "gate"
    STORE = "store"


# The handler takes the parts (`lib.web.app.App`), the validated request and the principal; None on a public route.
Handler = Callable[[Any, Any, Any], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one path. Most of the management API's are declared by a `Kind`: see below.

    `path` may hold `{name}` segments; `{name:path}` as the last one takes the rest, slashes included.
    `permission` is the scope that a caller's key must hold; None makes the route public. `operation` is what is done,
    where the route is the management API's: its handler only turns HTTP into a call of it, and back.
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
    responses: Mapping[int, Told]
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
    operation: Operation | None = None

    @property
    def name(self) -> str:
        """What it is called in the OpenAPI document."""
        return self.operation.name if self.operation else getattr(self.handler, "__name__", self.summary)


class Rare(TypedDict, total=False):
    """What only some routes say: see `Route`. `status` is that of the success.

    `cached`: who has the current version already, by its ETag, is answered 304. `http` is why an operation answers by
    itself, and `returns` the model of its body then.
    """

    http: str
    returns: Told

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
    """A kind of route, which is called to declare an operation of the management API with the house's defaults.

    The success is `status`, or else 200, or 204 where nothing is told; what the operation takes and returns is what
    its function says; and a POST of a known caller is idempotent.
    """

    method: str
    status: int | None = None
    errors: tuple[int, ...] = ()

    def __call__(
        self,
        path: str,
        permission: str | None,
        run: Callable[[Call[Any, Any]], Awaitable[Any]],
        summary: str,
        description: str = "",
        **rare: Unpack[Rare],
    ) -> Route:
        body, query, output = _signature(run)
        more: dict[str, Any] = {**rare, "errors": (*self.errors, *rare.get("errors", ()))}
        http, returns = more.pop("http", ""), more.pop("returns", None) or _told(output)
        operation = Operation(
            run.__name__, permission, run, body, query, output, 428 in self.errors, _of_org(path), http
        )
        status = more.pop("status", self.status) or (200 if returns else 204)
        responses = {status: returns}
        if self.method == "PUT":
            responses[201] = returns
        if cached := more.pop("cached", False):
            responses[304] = None

        @wraps(run)
        async def handler(parts: App, request: Validated[Any, Any], principal: Principal | None) -> Response:
            value = await operation.perform(parts, principal, request)
            if cached and etag.not_modified(request.headers, value.version):
                return Response(304, {"etag": etag.etag(value.version)})
            return render.answer(value, status, partial(_place, path, request.path, principal))

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
            operation=operation,
            **more,
        )


read = Kind("GET")
make = Kind("POST", 201)
act = Kind("POST")
put = Kind("PUT")  # 201 where it was not there
change = Kind("PATCH", errors=(412, 428))  # of a version that the caller has seen: see `Call.match`
remove = Kind("DELETE")

_ORG = "/api/v1/orgs/{id}"


def _of_org(path: str) -> str | None:
    """Return what is missing where a path names another organisation: that itself, or what it would have there."""
    if not path.startswith(_ORG):
        return None
    return "organisation" if path == _ORG or path.startswith(f"{_ORG}/actions/") else "thing"


def _place(path: str, named: Mapping[str, str], principal: Principal | None, made_id: str) -> str:
    """Return the path of what was made at `path`, or of what takes the place of what is there."""
    above = path.partition("/actions/")[0].removesuffix("/{id}")
    of = principal.org_id if principal and path.startswith(_ORG) else named.get("id", "")
    return f"{above}/{made_id}".replace("{id}", of)


def _signature(run: Callable[..., Any]) -> tuple[type[BaseModel] | None, type[BaseModel], Any]:
    """Return the models of the body and the query of a function's `call: Call[body, query]`, of the first such where it
    takes several, and what it returns.
    """
    hints = get_type_hints(run)
    output, call = hints.pop("return"), next(iter(hints.values()))
    while get_origin(call) is not Call:
        call = get_args(call)[0]
    body, query = get_args(call)
    return (None if body is NoneType else body), query, output


def _told(output: Any) -> Told:
    """Return the envelope of what an operation returns."""
    origin, of = get_origin(output), next(iter(get_args(output)), output)
    if of in (NoneType, Response):
        return None
    return Page(of) if origin is Listing else One(of)
