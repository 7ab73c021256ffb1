"""What each role may do. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Set
from enum import StrEnum

from lib.identity.models import ALL_SCOPES, INFERENCE_SCOPES, Scope


class Role(StrEnum):
    """What somebody is in an organisation."""

    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    VIEWER = "viewer"
    BILLING = "billing"


_READING = frozenset(scope for scope in Scope if scope.endswith(":read"))
PERMISSIONS: Mapping[Role, frozenset[str]] = {
    Role.OWNER: frozenset(ALL_SCOPES),
    Role.ADMIN: frozenset(ALL_SCOPES),
    Role.DEVELOPER: frozenset(INFERENCE_SCOPES) | _READING | {Scope.KEYS_WRITE},
    Role.VIEWER: _READING,
    Role.BILLING: frozenset({Scope.USAGE_READ, Scope.BUDGETS_READ, Scope.BUDGETS_WRITE}),
}


def permissions_of(role: str, custom: Set[str] | None) -> frozenset[str]:
    """Return what a member may do: what its custom role says where it has one, else what its role does."""
    if custom is not None:
        return frozenset(ALL_SCOPES) & custom
    return PERMISSIONS[Role(role)]
