"""Pages of other origins that call the AI API with a browser's key (CORS).

Source: https://fetch.spec.whatwg.org/#http-cors-protocol. A key says which origins may use it, so which one may read an
answer is known when the key is. The question before (preflight) carries no key, and gives nothing away: it is answered
to every origin, and without leave to send cookies.
"""

from __future__ import annotations

from lib.http.cors import PREFLIGHT_SECONDS
from lib.http.request import Headers, RawRequest
from lib.http.response import Response
from lib.http.router import Router
from lib.identity.bounds import allowed_origin
from lib.identity.models import Principal

_SENT = (
    "authorization, content-type, idempotency-key, x-headgate-stream-cost, x-stainless-arch, x-stainless-lang,"
    " x-stainless-os, x-stainless-package-version, x-stainless-retry-count, x-stainless-runtime,"
    " x-stainless-runtime-version, x-stainless-timeout"
)
# What a page may read of an answer, beside what it always may.
_EXPOSED = (
    "ratelimit, ratelimit-policy, retry-after, x-headgate-budget-remaining, x-headgate-cost, x-headgate-request-id,"
    " x-request-id"
)


def preflight(raw: RawRequest, router: Router) -> Response:
    """Answer a browser that asks whether a page may call the AI API. Raises NotFound."""
    return Response(
        204,
        {
            "access-control-allow-origin": raw.headers.get("origin") or "null",
            "access-control-allow-methods": ", ".join(router.methods(raw.path)),
            "access-control-allow-headers": _SENT,
            "access-control-max-age": str(PREFLIGHT_SECONDS),
            "vary": "origin",
        },
    )


def headers(principal: Principal, sent: Headers) -> dict[str, str]:
    """Return what lets a page read the answer, where the key names its origin."""
    if principal.origins is None:
        return {}
    origin = allowed_origin(principal, sent.get("origin"))
    readable = {"access-control-allow-origin": origin, "access-control-expose-headers": _EXPOSED} if origin else {}
    return {"vary": "origin", **readable}
