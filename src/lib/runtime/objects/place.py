"""Where the present request comes from. Asked only where an organisation's regions decide, since each look costs."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from lib.gateway.regions import region_of

_request: ContextVar[Any] = ContextVar("request", default=None)
_wanted = False


def want() -> None:
    """Have this isolate note its requests from now on."""
    global _wanted  # noqa: PLW0603 - an isolate has no other place, and the entry comes before all services
    _wanted = True


def note(request: Any) -> None:
    """Note the JavaScript Request that this task answers, where somebody wants to know."""
    if _wanted:
        _request.set(request)


def region() -> str | None:
    """Return the region that the present request comes from, where that is known."""
    request = _request.get()
    about = None if request is None else getattr(request, "cf", None)
    if about is None:
        return None
    return region_of(*(getattr(about, name, None) for name in ("continent", "country", "longitude")))
