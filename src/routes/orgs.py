"""`/api/v1/orgs`: the organisation that a key belongs to."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from lib.http import etag, render
from lib.http.request import Validated
from lib.http.response import Response
from lib.http.route import NoQuery, Route
from lib.identity import org_service
from lib.identity.models import Principal, Scope
from lib.services import Services
from lib.store.schema import OrgRow
from lib.text import PRINTABLE
from routes.schemas import One

_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=PRINTABLE)]
_Zone = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PRINTABLE)]


class UpdateOrg(BaseModel):
    """What to change of an organisation; what is not named stays. `time_zone` is IANA's name, as `Europe/Berlin`."""

    model_config = ConfigDict(extra="forbid")
    name: _Name | None = None
    time_zone: _Zone | None = None


class Org(BaseModel):
    """An organisation. Its days, weeks and months begin at midnight in `time_zone`."""

    id: str
    name: str
    time_zone: str
    created_at: datetime
    updated_at: datetime


async def get_org(services: Services, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Show the organisation."""
    return _shown(await org_service.get(services, principal, request.path["id"]))


async def update_org(services: Services, request: Validated[UpdateOrg, NoQuery], principal: Principal) -> Response:
    """Change the organisation's name or time zone."""
    row = await org_service.get(services, principal, request.path["id"])
    etag.required_match(request.headers, row.version)
    body = request.body
    return _shown(
        await org_service.update(services, principal, row, body.name or row.name, body.time_zone or row.time_zone)
    )


def _shown(row: OrgRow) -> Response:
    shown = Org.model_validate({name: getattr(row, name) for name in Org.model_fields})
    return render.data(shown, headers={"etag": etag.etag(row.version)})


_OWN = "Your own organisation, by its id or as `current`. There are no others to you."

ROUTES = [
    Route(
        method="GET",
        path="/api/v1/orgs/{id}",
        handler=get_org,
        summary="Show the organisation",
        description=_OWN,
        responses={200: One[Org]},
        permission=Scope.ORGS_READ,
    ),
    Route(
        method="PATCH",
        path="/api/v1/orgs/{id}",
        handler=update_org,
        summary="Change the organisation's name or time zone",
        description=(
            f"{_OWN} Needs `If-Match` with its ETag. When the time zone changes, the windows of budgets that run keep"
            " what is spent. They end when they would have, or when their last day is over in the new zone too."
        ),
        responses={200: One[Org]},
        permission=Scope.ORGS_WRITE,
        body=UpdateOrg,
        errors=(412, 422, 428),
    ),
]
