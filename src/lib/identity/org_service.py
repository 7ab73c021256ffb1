"""An organisation as its members see and change it."""

from __future__ import annotations

from dataclasses import replace

from lib.admission.windows import is_zone
from lib.audit.audit_store import found_org
from lib.audit.noting import noting
from lib.http.errors import Conflict, NotFound, PreconditionFailed, UnprocessableEntity
from lib.identity import org_store, people
from lib.identity.context import Context
from lib.identity.models import Principal
from lib.ids import new_id
from lib.services import Services
from lib.store.schema import OrgRow
from lib.store.scope import Joining

CURRENT = "current"
MOST_OF_ONE_PERSON = 100


async def get(services: Services, principal: Principal, org_id: str) -> OrgRow:
    """Return the caller's own organisation, by its id or as `current`. Raises NotFound for every other."""
    own = org_id in (CURRENT, principal.org_id)
    row = await org_store.get_org(services.database, principal.org_id) if own else None
    if row is None:
        raise NotFound("There is no such organisation.")
    return row


def too_many() -> Conflict:
    """Return what who is in as many organisations as one may be is told."""
    return Conflict(f"You are in {MOST_OF_ONE_PERSON} organisations, which is the most.", code="too_many_orgs")


async def create(services: Services, principal: Principal, name: str, context: Context) -> OrgRow:
    """Make an organisation of which the caller is the owner. Raises Conflict for who is in very many already."""
    user_id, now = str(principal.user_id), services.clock.now()
    org_id = new_id(now)
    only_if = org_store.exists(org_id)
    event = services.audit.org_event(
        org_id, "org.created", principal.actor, context, now, target=f"org:{org_id}", only_if=only_if
    )
    group = [*org_store.insert(org_id, name, user_id, MOST_OF_ONE_PERSON, now), *event]
    made, *_ = await services.database.batch(Joining(org_id, user_id), group)
    if not made:
        raise too_many()
    await people.ensure_key(services, org_id, user_id)
    row = await org_store.get_org(services.database, org_id)
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
    unchanged = found_org(principal.org_id, row.version)
    noted = noting(services, principal, "org.updated", f"org:{row.id}", before=unchanged)
    if not await org_store.update_org(noted, changed, row.version):
        raise PreconditionFailed()
    await services.gates.changed(principal.org_id)
    return replace(changed, version=row.version + 1)
