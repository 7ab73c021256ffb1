"""What one caller may do with a key: never more than it could do itself."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lib.access import access
from lib.access.bounds import require_within
from lib.access.policy import answers_for_all
from lib.access.principal import Principal
from lib.defence.parts import Guarded
from lib.kernel.errors import Conflict, Forbidden, UnprocessableEntity
from lib.kernel.ids import is_id
from lib.keys import key_store
from lib.keys.key_store import SERVER, bounds_of
from lib.store.schema import ApiKeyRow
from lib.tenants import owner_store


def not_wider(principal: Principal, scopes: Iterable[str]) -> None:
    """Raise Forbidden for scopes that the caller lacks."""
    beyond = sorted(set(scopes) - principal.scopes)
    if beyond:
        raise Forbidden(f"Your key lacks the scope {beyond[0]}, so it can't manage a key that has it.")


def not_longer(principal: Principal, expires_at: datetime | None) -> None:
    """An ending key must not make one that outlives it: whoever stole it would keep what it was never given."""
    if principal.expires_at is not None and (expires_at is None or expires_at > principal.expires_at):
        raise Forbidden("Your key has an end, so it can't manage a key that lasts longer.")


def in_the_future(expires_at: datetime | None, now: datetime) -> None:
    """Raise UnprocessableEntity for an end that has passed."""
    if expires_at is not None and expires_at <= now:
        raise UnprocessableEntity("expires_at must be in the future.")


def active(row: ApiKeyRow) -> None:
    """Raise Conflict for a revoked key."""
    if row.revoked_at is not None:
        raise Conflict("The key is revoked.", code="key_revoked")


async def may_manage(parts: Guarded, principal: Principal, row: ApiKeyRow) -> None:
    """Raise Forbidden for a key that the caller could not have made: one that gives more than the caller has, lasts
    longer, or counts for another person or team.
    """
    not_wider(principal, row.scopes)
    not_longer(principal, row.expires_at)
    require_within(principal, bounds_of(row))
    in_team = await _is_in(parts, principal, row.team_id)
    access.require_key(principal, row.user_id, row.team_id, in_team=in_team)


def changeable(row: ApiKeyRow) -> None:
    """Raise Conflict unless this is a server's key. A browser's would outlive its end, or get away from its budget; a
    member's own has no secret, and must get none.
    """
    if row.kind != SERVER:
        raise Conflict("Only a server's key can be changed or rotated.", code="key_not_changeable")


def revocable(row: ApiKeyRow) -> None:
    """Raise Conflict for the key that a member's own calls are counted on: it ends with the membership."""
    if row.kind == key_store.PERSON:
        raise Conflict("A member's own key ends with the membership.", code="key_not_revocable")


async def team_for(parts: Guarded, principal: Principal, team_id: str | None) -> str | None:
    """Return the team of a key that the caller makes: where nothing is said, the caller's own.

    Raises Forbidden where the key would get away from the budgets of the caller's team, or spend those of another.
    """
    if principal.team_id is not None:
        if team_id not in (None, principal.team_id):
            raise Forbidden("Your key belongs to a team, so it can't make a key for another.")
        return principal.team_id
    if team_id is None:
        return None
    database, org_id = parts.database, principal.org_id
    if not is_id(team_id) or not await owner_store.is_team(database, org_id, team_id):
        raise UnprocessableEntity("There is no such team.", param="team_id")
    if principal.user_id is None or answers_for_all(principal) or await _is_in(parts, principal, team_id):
        return team_id
    raise Forbidden("You are not in this team.")


async def _is_in(parts: Guarded, principal: Principal, team_id: str | None) -> bool:
    """Tell whether the person to whom the caller belongs is in a team."""
    if team_id is None or principal.user_id is None:
        return False
    return await owner_store.is_in_team(parts.database, principal.org_id, team_id, principal.user_id)
