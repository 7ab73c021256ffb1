"""An organisation as its members see and change it."""

from __future__ import annotations

from dataclasses import replace

from lib.admission.windows import is_zone
from lib.http.errors import NotFound, PreconditionFailed, UnprocessableEntity
from lib.identity import org_store
from lib.identity.models import Principal
from lib.services import Services
from lib.store.schema import OrgRow

CURRENT = "current"


async def get(services: Services, principal: Principal, org_id: str) -> OrgRow:
    """Return the caller's own organisation, by its id or as `current`. Raises NotFound for every other."""
    own = org_id in (CURRENT, principal.org_id)
    row = await org_store.get_org(services.database, principal.org_id) if own else None
    if row is None:
        raise NotFound("There is no such organisation.")
    return row


async def update(services: Services, principal: Principal, row: OrgRow, name: str, time_zone: str) -> OrgRow:
    """Change an organisation's name or time zone. Raises PreconditionFailed when somebody else was first.

    Budgets count by the new zone from the answer on: see `lib.admission.budget` for the window that runs.
    """
    if not is_zone(time_zone):
        raise UnprocessableEntity("There is no such time zone. It has a name of IANA's.", param="time_zone")
    changed = replace(row, name=name, time_zone=time_zone, updated_at=services.clock.now())
    if not await org_store.update_org(services.database, changed, row.version):
        raise PreconditionFailed()
    await services.gates.changed(principal.org_id)
    return replace(changed, version=row.version + 1)
