"""`/api/v1/usage`: what was used, by day, model, key, provider, team, person and end user."""

from __future__ import annotations

from lib.access.principal import Permission, Principal
from lib.http.request import Validated
from lib.http.response import Response
from lib.web.app import App
from lib.web.route import read
from routes.api.usage_schemas import ReportQuery, UsageLine, sums_of
from routes.schemas import Page


async def report_usage(parts: App, request: Validated[None, ReportQuery], principal: Principal) -> Response:
    """Sum what was used. All that was settled before this request is in it."""
    return await sums_of(parts, principal.org_id, request.query)


ROUTES = [
    read(
        "/api/v1/usage",
        Permission.USAGE_READ,
        report_usage,
        Page[UsageLine],
        "Sum what was used, by day, model, key, and whom it was for",
    ),
]
