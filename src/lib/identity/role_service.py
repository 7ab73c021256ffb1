"""An organisation's own roles: sets of permissions with a name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from lib.audit.differences import differences
from lib.http.errors import Conflict, PreconditionFailed
from lib.identity import access, role_store
from lib.identity.member_service import BASE
from lib.identity.models import Principal
from lib.ids import new_id
from lib.kernel.event import Detail, Event
from lib.services import Services
from lib.store.conditions import found
from lib.store.database import ForeignKeyViolation, Statement, UniqueViolation
from lib.store.schema import RoleRow
from lib.store.scope import Org


async def create(services: Services, principal: Principal, name: str, permissions: frozenset[str]) -> RoleRow:
    """Make a role. Raises Forbidden where it would give more than the caller has; Conflict for a name that is taken."""
    access.require_grant(principal, BASE, permissions)
    work = services.work(principal.actor)
    row = RoleRow(new_id(work.now), principal.org_id, name, permissions, 1, work.now, work.now)
    event, only_if = _event("role.created", row, differences(None, row)), role_store.may_insert(row.org_id)
    with _own_name():
        made = await work.commit(event, role_store.insert(row), only_if=only_if)
    if not made:
        raise Conflict(f"An organisation has at most {role_store.MOST_ROLES} roles.", code="too_many_roles")
    return row


async def update(
    services: Services, principal: Principal, row: RoleRow, name: str, permissions: frozenset[str]
) -> RoleRow:
    """Change a role, and at once what those may do who have it. Raises PreconditionFailed when somebody was first."""
    access.require_grant(principal, BASE, row.permissions)
    access.require_grant(principal, BASE, permissions)
    work = services.work(principal.actor)
    changed = replace(row, name=name, permissions=permissions, updated_at=work.now)
    event = _event("role.changed", changed, differences(row, changed))
    with _own_name():
        updated = await work.commit(event, role_store.update(changed), only_if=_unchanged(row))
    if not updated:
        raise PreconditionFailed()
    return replace(changed, version=row.version + 1)


async def delete(services: Services, principal: Principal, row: RoleRow) -> None:
    """Delete a role, and the invitations to it. Raises Conflict while a member has it."""
    access.require_grant(principal, BASE, row.permissions)
    event, gone = _event("role.deleted", row, differences(row, None)), role_store.delete(row)
    try:
        deleted = await services.work(principal.actor).commit(event, gone, only_if=_unchanged(row))
    except ForeignKeyViolation:
        raise Conflict("Some members have this role. Give them another first.", code="role_in_use") from None
    if not deleted:
        raise PreconditionFailed()


def _event(name: str, row: RoleRow, details: Mapping[str, Detail]) -> Event:
    return Event(name, Org(row.org_id), f"role:{row.id}", {"name": row.name, **details})


def _unchanged(row: RoleRow) -> Statement:
    return found("roles", row.org_id, row.id, row.version)


@contextmanager
def _own_name() -> Iterator[None]:
    try:
        yield
    except UniqueViolation:
        raise Conflict("There is a role of this name already.", code="name_taken") from None
