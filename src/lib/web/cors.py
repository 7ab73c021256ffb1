"""Calls from other origins' pages (CORS: https://fetch.spec.whatwg.org/#http-cors-protocol), by an explicit list."""

from __future__ import annotations

import re
from collections.abc import Set

from lib.http.request import RawRequest
from lib.http.response import Response
from lib.kernel.errors import Forbidden, NotFound
from lib.web.router import Router

MOST_HEADERS_CHARACTERS = 2_000
PREFLIGHT_SECONDS = 600
_HEADER_NAMES = re.compile(r"[A-Za-z0-9_-]+( ?, ?[A-Za-z0-9_-]+)*")
_METHOD = re.compile(r"[A-Z]{1,20}")


def is_preflight(raw: RawRequest) -> bool:
    """Tell whether a browser asks whether it may send a request."""
    return raw.method == "OPTIONS" and raw.headers.get("access-control-request-method") is not None


def preflight(raw: RawRequest, router: Router, allowed: Set[str]) -> Response:
    """Answer a browser before anybody has signed in. Raises Forbidden for an origin that is not on the list."""
    origin = raw.headers.get("origin")
    if origin is None or origin not in allowed:
        raise Forbidden("This origin is not allowed.", code="origin_not_allowed")
    return Response(204, may_send(raw, router))


def may_send(raw: RawRequest, router: Router) -> dict[str, str]:
    """Return what tells a browser that its page may send what it asks for: any header, and any method.

    That gives nothing away: a request is judged when it comes, and its refusal can be read only where it was sent.
    """
    wanted = raw.headers.get("access-control-request-headers") or ""
    named = len(wanted) <= MOST_HEADERS_CHARACTERS and _HEADER_NAMES.fullmatch(wanted)
    return {
        "access-control-allow-methods": ", ".join(_methods(raw, router)),
        **({"access-control-allow-headers": wanted} if named else {}),
        "access-control-max-age": str(PREFLIGHT_SECONDS),
    }


def _methods(raw: RawRequest, router: Router) -> list[str]:
    """Return the path's methods and the one that is asked for: else no page could read its 404 or 405."""
    try:
        own = router.methods(raw.path)
    except NotFound:
        own = []
    asked = raw.headers.get("access-control-request-method") or ""
    return sorted({*own, asked} if _METHOD.fullmatch(asked) else own)


def headers(origin: str | None, allowed: Set[str], exposed: str) -> dict[str, str]:
    """Return what tells a browser that a page may read the answer. Never `*`: answers depend on who asks."""
    vary = {"vary": "origin"} if allowed else {}
    if origin is None or origin not in allowed:
        return vary
    return {
        **vary,
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": exposed,
    }
