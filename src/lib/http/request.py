"""What comes in: a request as the platform hands it on, and as it is once validated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Generic, NamedTuple, Protocol, TypeVar

from lib.http.memory import Memory, Share

Body = TypeVar("Body")
Query = TypeVar("Query")
Known = Callable[[], Awaitable[str]]


class Headers(Protocol):
    """Header look-up. Names are in lower case; a repeated header's values are joined by a comma and a space."""

    def get(self, name: str) -> str | None: ...


class BodyReader(Protocol):
    """The body, unread. `read` raises PayloadTooLarge as soon as more than `limit` bytes have arrived, RequestTimeout
    where they come too slowly, and what `known` raises: that is awaited before a body is read that is large, or beside
    many others. It returns the caller's organisation.
    """

    async def read(self, limit: int, known: Known) -> bytes: ...


class Departure(Protocol):
    """Tells whether the client has closed the connection."""

    @property
    def gone(self) -> bool: ...


_NO_SHARE = Memory().share()  # of a request that nobody counts


class RawRequest(NamedTuple):
    """A request before anything about it is known to be right. `path` and `query` are still percent-encoded.

    `share` is what it holds of the isolate's memory; `body.read` claims it.
    """

    id: str
    method: str
    path: str
    query: str
    headers: Headers
    body: BodyReader
    client: Departure
    share: Share = _NO_SHARE


class Validated(NamedTuple, Generic[Body, Query]):
    """A request whose parts match its route's declaration.

    `json` is the parsed body as it came, unknown fields included; `body` is what the route's model reads from it.
    `head_only`: HEAD, so no body is sent, and a streamed one must not be begun.
    """

    id: str
    body: Body
    query: Query
    headers: Headers
    client: Departure
    path: Mapping[str, str] = MappingProxyType({})
    json: dict[str, object] = {}  # noqa: RUF012 - of a request without a body: nobody writes to it
    head_only: bool = False
    share: Share = _NO_SHARE

    def spent(self) -> None:
        """Let go of the body, `json` as well as what the model read of it: all that it was needed for is made."""
        self.json.clear()
        for part in ("__pydantic_extra__", "__dict__"):
            (getattr(self.body, part, None) or {}).clear()
