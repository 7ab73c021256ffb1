"""Calls from other origins' pages (CORS: https://fetch.spec.whatwg.org/#http-cors-protocol), by an explicit list."""

from __future__ import annotations

import re
from collections.abc import Set

from lib.http.errors import Forbidden
from lib.http.request import RawRequest
from lib.http.response import Response
from lib.http.router import Router

MOST_HEADERS_CHARACTERS = 2_000
PREFLIGHT_SECONDS = 600
# What a page may read of an answer, beside what it always may.
_EXPOSED = (
    "etag, location, ratelimit, ratelimit-policy, retry-after, x-headgate-bookmark, x-headgate-budget-remaining,"
    " x-headgate-request-id, x-request-id"
)
_HEADER_NAMES = re.compile(r"[A-Za-z0-9-]+( ?, ?[A-Za-z0-9-]+)*")


def is_preflight(raw: RawRequest) -> bool:
    """Tell whether a browser asks whether it may send a request."""
    return raw.method == "OPTIONS" and raw.headers.get("access-control-request-method") is not None


def preflight(raw: RawRequest, router: Router, allowed: Set[str]) -> Response:
    """Answer a browser before anybody has signed in. Raises Forbidden for an origin that is not on the list.

    A listed origin may send any header: what it sends is judged when it comes.
    """
    origin = raw.headers.get("origin")
    if origin is None or origin not in allowed:
        raise Forbidden("This origin is not allowed.", code="origin_not_allowed")
    wanted = raw.headers.get("access-control-request-headers") or ""
    named = len(wanted) <= MOST_HEADERS_CHARACTERS and _HEADER_NAMES.fullmatch(wanted)
    return Response(
        204,
        {
            "access-control-allow-methods": ", ".join(router.methods(raw.path)),
            **({"access-control-allow-headers": wanted} if named else {}),
            "access-control-max-age": str(PREFLIGHT_SECONDS),
        },
    )


def headers(origin: str | None, allowed: Set[str]) -> dict[str, str]:
    """Return what tells a browser that a page may read the answer. Never `*`: answers depend on who asks."""
    vary = {"vary": "origin"} if allowed else {}
    if origin is None or origin not in allowed:
        return vary
    return {
        **vary,
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": _EXPOSED,
    }
