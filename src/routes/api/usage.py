"""`/api/v1/usage`: what was used, by day, model, key, provider, team, person and end user."""

from __future__ import annotations

from lib.access.principal import Permission
from lib.web.operation import Call, Listing
from lib.web.route import read
from routes.api.usage_schemas import ReportQuery, UsageLine, sums_of


async def report_usage(call: Call[None, ReportQuery]) -> Listing[UsageLine]:
    """Sum what was used. All that was settled before this request is in it."""
    return await sums_of(call.parts, call.org_id, call.query)


ROUTES = [
    read(
        "/api/v1/usage",
        Permission.USAGE_READ,
        report_usage,
        "Sum what was used, by day, model, key, and whom it was for",
    ),
]
