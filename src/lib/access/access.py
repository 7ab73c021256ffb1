"""Decisions of the policy as the services need them: nothing, or the error that the caller gets."""

from __future__ import annotations

from collections.abc import Set

from lib.access.policy import Attributes, Decision, Deny, decide, decide_grant, decide_key
from lib.access.principal import NONE, Principal
from lib.kernel.errors import Forbidden, NotFound

CURRENT = "current"
_NOTHING = Attributes()


def require(principal: Principal, action: str, attributes: Attributes = _NOTHING) -> None:
    """Raise Forbidden where the caller may not do this."""
    _enforce(decide(principal, action, attributes))


def require_grant(principal: Principal, role: str, custom: Set[str] | None) -> None:
    """Raise Forbidden where the caller may not give or take these rights."""
    _enforce(decide_grant(principal, role, custom))


def require_key(principal: Principal, user_id: str | None, team_id: str | None, *, in_team: bool) -> None:
    """Raise Forbidden where the caller may not manage a key of this person and team."""
    _enforce(decide_key(principal, user_id, team_id, in_team=in_team))


def own_org(principal: Principal, org_id: str, what: str) -> None:
    """Raise NotFound (no such `what`) unless it is the caller's active organisation, by its id or as `current`."""
    if org_id not in (CURRENT, principal.org_id) or principal.org_id == NONE:
        raise NotFound(f"There is no such {what}.")


def _enforce(decision: Decision) -> None:
    if isinstance(decision, Deny):
        raise Forbidden(decision.reason, code=decision.code)
