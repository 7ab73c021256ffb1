"""`/api/v1/usage`: what was used, by day, model, key, provider, team, person and end user."""

from __future__ import annotations

from lib.http.request import Validated
from lib.http.response import Response
from lib.http.route import read
from lib.identity.models import Principal, Scope
from lib.services import Services
from routes.schemas import Page
from routes.usage_schemas import ReportQuery, UsageLine, sums_of


async def report_usage(services: Services, request: Validated[None, ReportQuery], principal: Principal) -> Response:
    """Sum what was used. All that was settled before this request is in it."""
    return await sums_of(services, principal.org_id, request.query)


ROUTES = [
    read(
        "/api/v1/usage",
        Scope.USAGE_READ,
        report_usage,
        Page[UsageLine],
        "Sum what was used, by day, model, key, and whom it was for",
    ),
]
