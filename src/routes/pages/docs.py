"""`/openapi.json`, and `/docs`, which shows it."""

from __future__ import annotations

from lib.http.request import Validated
from lib.http.response import Response
from lib.web.app import App
from lib.web.docs_page import CONTENT_SECURITY_POLICY
from lib.web.route import NoQuery, read

_CACHED = "public, max-age=300"


async def openapi(parts: App, _request: Validated[None, NoQuery], _caller: None) -> Response:
    """Return the OpenAPI 3.1 document."""
    headers = {"content-type": "application/json", "cache-control": _CACHED, "access-control-allow-origin": "*"}
    return Response(200, headers, parts.openapi)


async def docs(parts: App, _request: Validated[None, NoQuery], _caller: None) -> Response:
    """Return a page that shows the API and can call it. It loads nothing, from here or elsewhere."""
    headers = {
        "content-type": "text/html; charset=utf-8",
        "cache-control": _CACHED,
        "content-security-policy": CONTENT_SECURITY_POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }
    return Response(200, headers, parts.docs_page)


ROUTES = [
    read("/openapi.json", None, openapi, None, "Describe this API (OpenAPI 3.1)", status=200),
    read("/docs", None, docs, None, "Show this API to a person", status=200),
]
