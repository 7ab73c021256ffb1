"""An organisation as its members see and change it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lib.access.principal import Principal
from lib.admission.windows import is_zone
from lib.audit.differences import differences
from lib.events.event import Event
from lib.events.parts import Parts
from lib.kernel.errors import Conflict, NotFound, PreconditionFailed, UnprocessableEntity
from lib.kernel.ids import new_id
from lib.store.conditions import found_owner
from lib.store.schema import OrgRow
from lib.store.tenant import Org
from lib.tenants import org_store
from lib.users import people

MOST_OF_ONE_PERSON = 100


async def get(parts: Parts, org_id: str) -> OrgRow:
    """Return an organisation. Raises NotFound."""
    row = await org_store.get_org(parts.database, org_id)
    if row is None:
        raise NotFound("There is no such organisation.")
    return row


def too_many() -> Conflict:
    """Return what who is in as many organisations as one may be is told."""
    return Conflict(f"You are in {MOST_OF_ONE_PERSON} organisations, which is the most.", code="too_many_orgs")


async def create(parts: Parts, principal: Principal, name: str) -> OrgRow:
    """Make an organisation of which the caller is the owner. Raises Conflict for who is in very many already."""
    user_id, work = str(principal.user_id), parts.work(principal.actor)
    org_id = new_id(work.now)
    group = [
        *org_store.insert(org_id, name, user_id, MOST_OF_ONE_PERSON, work.now),
        *people.own_key(parts, org_id, user_id),
    ]
    event = Event("org.created", Org(org_id), f"org:{org_id}")
    if not await work.commit(event, *group, if_made=org_store.exists(org_id), joins=user_id):
        raise too_many()
    return await get(parts, org_id)


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be changed of an organisation."""

    name: str
    time_zone: str
    require_second_factor: bool
    admission: str


async def update(parts: Parts, principal: Principal, row: OrgRow, wanted: Settings) -> OrgRow:
    """Change an organisation. Raises PreconditionFailed when somebody else was first; Conflict, `totp_not_enabled`, for
    a person who asks others for codes at sign-in and has none: the next request would be refused.

    Budgets count by the new zone from the answer on: see `lib.admission.budget` for the window that runs.
    """
    if not is_zone(wanted.time_zone):
        raise UnprocessableEntity("There is no such time zone. It has a name of IANA's.", param="time_zone")
    work, required_at = parts.work(principal.actor), row.second_factor_required_at
    if not wanted.require_second_factor:
        required_at = None
    elif required_at is None:
        await _check_own_codes(parts, principal)
        required_at = work.now
    changed = replace(
        row,
        name=wanted.name,
        time_zone=wanted.time_zone,
        second_factor_required_at=required_at,
        admission=wanted.admission,
        updated_at=work.now,
    )
    details = {"require_second_factor": wanted.require_second_factor, **differences(row, changed)}
    event = Event("org.updated", Org(row.id), f"org:{row.id}", details)
    unchanged = found_owner("orgs", row.id, row.version)
    if not await work.commit(event, org_store.update(changed), only_if=unchanged):
        raise PreconditionFailed()
    return replace(changed, version=row.version + 1)


async def _check_own_codes(parts: Parts, principal: Principal) -> None:
    if principal.is_person and (await people.person(parts, principal)).totp_confirmed_at is None:
        raise Conflict("Switch codes at sign-in on for your own account first.", code="totp_not_enabled")
