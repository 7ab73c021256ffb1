"""`/openapi.json`, and `/docs`, which shows it."""

from __future__ import annotations

from lib.http.response import Response
from lib.web.docs_page import CONTENT_SECURITY_POLICY
from lib.web.operation import Plain
from lib.web.route import read

_CACHED = "public, max-age=300"


async def openapi(call: Plain) -> Response:
    """Return the OpenAPI 3.1 document."""
    headers = {"content-type": "application/json", "cache-control": _CACHED, "access-control-allow-origin": "*"}
    return Response(200, headers, call.parts.openapi)


async def docs(call: Plain) -> Response:
    """Return a page that shows the API and can call it. It loads nothing, from here or elsewhere."""
    headers = {
        "content-type": "text/html; charset=utf-8",
        "cache-control": _CACHED,
        "content-security-policy": CONTENT_SECURITY_POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }
    return Response(200, headers, call.parts.docs_page)


ROUTES = [
    read("/openapi.json", None, openapi, "Describe this API (OpenAPI 3.1)", status=200, http="A document of its own."),
    read("/docs", None, docs, "Show this API to a person", status=200, http="A page."),
]
