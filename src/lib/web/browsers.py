"""Pages of other origins that call the AI API with a browser's key (CORS).

Source: https://fetch.spec.whatwg.org/#http-cors-protocol. A key says which origins may use it, so which one may read an
answer is known when the key is. Before that, in the question before (preflight) and in errors that come while nobody
knows who asks, nothing is given away: they are the same for everybody, and any origin may read them. It never gets
leave to send cookies: what a browser sent with them, no page of an origin that is not listed can read.
"""

from __future__ import annotations

from lib.access.bounds import allowed_origin
from lib.access.principal import Principal
from lib.http.request import Headers, RawRequest
from lib.http.response import Response
from lib.web import cors
from lib.web.router import Router


def preflight(raw: RawRequest, router: Router) -> Response:
    """Answer a browser that asks whether a page may call the AI API."""
    return Response(204, {**anybody(raw.headers, router.exposed), **cors.may_send(raw, router)})


def anybody(sent: Headers, exposed: str) -> dict[str, str]:
    """Return what lets the page that asks read an answer which is the same for everybody."""
    return _readable(origin, exposed) if (origin := sent.get("origin")) else {}


def headers(principal: Principal, sent: Headers, exposed: str) -> dict[str, str]:
    """Return what lets a page read the answer, where the key names its origin."""
    if principal.origins is None:
        return {}
    origin = allowed_origin(principal, sent.get("origin"))
    return _readable(origin, exposed) if origin else {"vary": "origin"}


def _readable(origin: str, exposed: str) -> dict[str, str]:
    return {
        "vary": "origin",
        "access-control-allow-origin": origin,
        "access-control-expose-headers": exposed,
    }
