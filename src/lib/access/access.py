"""Decisions of the policy as the services need them: nothing, or the error that the caller gets."""

from __future__ import annotations

from collections.abc import Set

from lib.access.policy import Attributes, Decision, Deny, Resource, decide, decide_grant, decide_key
from lib.access.principal import Principal
from lib.kernel.errors import Forbidden, NotFound

CURRENT = "current"
_NOWHERE = Resource()
_NOTHING = Attributes()


def require(
    principal: Principal, action: str, resource: Resource = _NOWHERE, attributes: Attributes = _NOTHING
) -> None:
    """Raise NotFound where the caller must not know that there is such a thing, Forbidden where it may not do this."""
    _enforce(decide(principal, action, resource, attributes))


def require_grant(principal: Principal, role: str, custom: Set[str] | None) -> None:
    """Raise Forbidden where the caller may not give or take these rights."""
    _enforce(decide_grant(principal, role, custom))


def require_key(principal: Principal, user_id: str | None, team_id: str | None, *, in_team: bool) -> None:
    """Raise Forbidden where the caller may not manage a key of this person and team."""
    _enforce(decide_key(principal, user_id, team_id, in_team=in_team))


def own_org(principal: Principal, action: str, org_id: str) -> str:
    """Return the organisation that a path names: the caller's active one, by its id or as `current`.

    Raises NotFound for every other, and Forbidden where the caller may not do this there.
    """
    named = principal.org_id if org_id == CURRENT else org_id
    require(principal, action, Resource(org_id=named))
    return named


def _enforce(decision: Decision) -> None:
    if isinstance(decision, Deny):
        raise NotFound(decision.reason) if decision.hidden else Forbidden(decision.reason, code=decision.code)
