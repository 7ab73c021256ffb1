"""An operation: what a caller may have done, by whatever face it asks. Services are reached through operations alone.

Who it is, and whether it may, the pipeline has decided by `permission` before (`authentication.authorise`, the one
place that asks). In which organisation, `perform` decides: what runs is told, and reads it nowhere else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from lib.access.access import own_org
from lib.access.principal import NONE, Principal
from lib.events.work import Work
from lib.http import etag
from lib.http.context import Context, context_of
from lib.http.request import Validated
from lib.http.response import Finish
from lib.web.app import App

Body = TypeVar("Body")
Query = TypeVar("Query")
Value = TypeVar("Value", bound=BaseModel | None)

# Whom what anybody may have done, or the operator, is done for: it belongs nowhere and holds no scope.
NOBODY = Principal(NONE, "", frozenset(), None)


class NoQuery(BaseModel):
    """An operation that reads nothing from the query."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Body, Query]):
    """What runs is given: who asks (NOBODY where it is anybody's), for which organisation, and what for."""

    parts: App
    principal: Principal
    org_id: str
    request: Validated[Body, Query]
    changes: bool = False  # the version must be named that is changed

    @property
    def body(self) -> Body:
        """What the body says."""
        return self.request.body

    @property
    def query(self) -> Query:
        """What the query says."""
        return self.request.query

    @property
    def path(self) -> Mapping[str, str]:
        """The parameters of the path by name."""
        return self.request.path

    @property
    def work(self) -> Work:
        """What writes the caller's changes."""
        return self.parts.work(self.principal.actor)

    @property
    def context(self) -> Context:
        """Where the request comes from."""
        return context_of(self.request)

    def match(self, version: int | None) -> None:
        """Refuse a change by a client that has seen another version, or where one must be named has named none; it is
        None where nothing is there yet. Raises PreconditionFailed, PreconditionRequired.
        """
        check = etag.required_match if self.changes else etag.check_match
        check(self.request.headers, version)


Plain = Call[None, NoQuery]  # what it is about stands in the path alone


@dataclass(frozen=True, slots=True)
class Item(Generic[Value]):
    """One thing and its version. `new`: there was none in its place before."""

    value: Value
    version: int
    new: bool = False


@dataclass(frozen=True, slots=True)
class Listing(Generic[Value]):
    """A page of things; `next_cursor` is None on the last."""

    values: Sequence[Value]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Finishing(Generic[Value]):
    """A result, and what remains to be done once it is told."""

    value: Value
    finish: Finish


@dataclass(frozen=True, slots=True)
class Operation:
    """`run` takes a Call of `body` and `query`, and returns `output`: a model or None, or that in an Item, a Listing or
    Finishing. Where it returns a Response, `http` says why that can't be told but by HTTP.

    `permission` is the scope that it takes; None where anybody may, or the operator alone. `of_org` is what a path's
    organisation is called where it is another than the caller's active one; None where the path names none.
    """

    name: str
    permission: str | None
    run: Callable[[Call[Any, Any]], Awaitable[Any]]
    body: type[BaseModel] | None
    query: type[BaseModel]
    output: Any
    changes: bool = False
    of_org: str | None = None
    http: str = ""

    async def perform(self, parts: App, principal: Principal | None, request: Validated[Any, Any]) -> Any:
        """Do it, for a caller that may. Raises NotFound for another organisation than the caller's active one."""
        caller = principal or NOBODY
        if self.of_org is not None:
            own_org(caller, request.path["id"], self.of_org)
        return await self.run(Call(parts, caller, caller.org_id, request, self.changes))
