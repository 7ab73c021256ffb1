"""From where a request comes: for the audit log, and against guessing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lib.http.request import Headers

_MOST_ADDRESS = 64
_MOST_AGENT = 200


class _Request(Protocol):
    """A request, validated or not yet."""

    @property
    def id(self) -> str: ...

    @property
    def headers(self) -> Headers: ...


@dataclass(frozen=True, slots=True)
class Context:
    """`address` is the client's IP address as Cloudflare saw it; no header of the client's own is believed."""

    request_id: str
    address: str | None = None
    user_agent: str | None = None


NO_REQUEST = Context("")  # of a job


def context_of(request: _Request) -> Context:
    """Return where a request comes from."""
    address, agent = request.headers.get("cf-connecting-ip"), request.headers.get("user-agent")
    return Context(request.id, address[:_MOST_ADDRESS] if address else None, agent[:_MOST_AGENT] if agent else None)
