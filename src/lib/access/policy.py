"""May this caller do this? One pure function, `decide`, and the table of roles that it stands on.

Denied unless allowed: every rule below can only refuse, and only what passes all of them is allowed. The rules go from
what is wrong with the credential itself to what the caller may do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from lib.access.ip_ranges import parse_address, parse_range
from lib.access.principal import ALL_SCOPES, INFERENCE_SCOPES, SELF, Permission, Principal


class Role(StrEnum):
    """What somebody is in an organisation."""

    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    VIEWER = "viewer"
    BILLING = "billing"


_READING = frozenset(scope for scope in Permission if scope.endswith(":read"))
# Who was asked to join, and who did what when, are for those who answer for it.
_VIEWING = _READING - {Permission.AUDIT_READ, Permission.INVITATIONS_READ}
PERMISSIONS: Mapping[Role, frozenset[str]] = {
    Role.OWNER: frozenset(ALL_SCOPES),
    # The organisation itself is its owners': its name, its time zone, and who else owns it.
    Role.ADMIN: frozenset(ALL_SCOPES) - {Permission.ORGS_WRITE},
    Role.DEVELOPER: _VIEWING | frozenset(INFERENCE_SCOPES) | {Permission.KEYS_WRITE, Permission.KEYS_MINT},
    Role.VIEWER: _VIEWING,
    Role.BILLING: frozenset({
        Permission.ORGS_READ, Permission.USAGE_READ, Permission.LEDGER_READ, Permission.LIMITS_READ,
        Permission.BUDGETS_READ, Permission.BUDGETS_WRITE,
    }),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Attributes:
    """What else a decision may depend on, as far as it is known. `address` is the client's IP address as the edge saw
    it, `origin` that of the page that asks, `model` the name of the model that is called.
    """

    now: datetime | None = None
    address: str | None = None
    origin: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Allow:
    """Go ahead."""


@dataclass(frozen=True, slots=True)
class Deny:
    """Don't. `reason` is for the caller; `code` is that of the error, where it is a special one."""

    reason: str
    code: str | None = None


Decision = Allow | Deny
_NOTHING = Attributes()


def decide(principal: Principal, action: str, attributes: Attributes = _NOTHING) -> Decision:
    """Tell whether the caller may do this. `action` is a permission, or SELF for what is a person's own."""
    for rule in _RULES:
        if (denied := rule(principal, action, attributes)) is not None:
            return denied
    return Allow()


def decide_grant(principal: Principal, role: str, custom: Set[str] | None) -> Decision:
    """Tell whether the caller may give or take these rights: nobody hands out, or takes from another, more than it has.

    Owners are made and unmade by owners alone: a key that may do everything would otherwise outlast its maker's fall.
    A member is bound to nothing, and counts on no team's rules for keys: a key that is, or does, could invite its
    holder, and be rid of that.
    """
    binding = (principal.models, principal.ip_ranges, principal.origins, principal.team_id)
    if not principal.is_person and any(bound is not None for bound in binding):
        return Deny("Your key is bound or belongs to a team, so it can't say what people may do.")
    if role == Role.OWNER and principal.role != Role.OWNER:
        return Deny("Only an owner can do this to an owner.")
    beyond = sorted(permissions_of(role, custom) - principal.scopes)
    return Deny(f"This needs the permission {beyond[0]}, which you lack yourself.") if beyond else Allow()


def answers_for_all(principal: Principal) -> bool:
    """Tell whether the caller answers for everybody's keys and for all teams: owners and admins, and a key that belongs
    to nobody and no team and may manage members.
    """
    if principal.user_id is not None:
        return principal.role in (Role.OWNER, Role.ADMIN)
    return principal.team_id is None and principal.may(Permission.MEMBERS_WRITE)


def decide_key(principal: Principal, user_id: str | None, team_id: str | None, *, in_team: bool) -> Decision:
    """Tell whether the caller may change, rotate or revoke a key of this person and team: only one that it could have
    made itself, or it would get another's secret, team and budgets. `in_team`: its person is in the key's team.
    """
    if principal.team_id is not None and team_id != principal.team_id:
        return Deny("Your key belongs to a team, so it can't manage a key that does not.")
    if answers_for_all(principal):
        return Allow()
    if user_id != principal.user_id:
        return Deny("This key is not yours. Owners and admins manage the keys of others.")
    if team_id not in (None, principal.team_id) and principal.user_id is not None and not in_team:
        return Deny("This key belongs to a team in which you are not.")
    return Allow()


def permissions_of(role: str, custom: Set[str] | None) -> frozenset[str]:
    """Return what a member may do: what its custom role says where it has one, else what its role does."""
    if custom is not None:
        return frozenset(ALL_SCOPES) & custom
    return PERMISSIONS[Role(role)]


def _has_ended(principal: Principal, _action: str, attributes: Attributes) -> Deny | None:
    over = attributes.now is not None and principal.expired(attributes.now)
    return Deny("The credential has ended.") if over else None


def _is_elsewhere(principal: Principal, _action: str, attributes: Attributes) -> Deny | None:
    if principal.ip_ranges is None or _within(attributes.address, principal.ip_ranges):
        return None
    return Deny("This key may not be used from your IP address.", code="ip_not_allowed")


def _is_of_another_page(principal: Principal, _action: str, attributes: Attributes) -> Deny | None:
    if principal.origins is None or attributes.origin in principal.origins:
        return None
    return Deny("This key may not be used by pages of this origin.", code="origin_not_allowed")


def _is_another_model(principal: Principal, _action: str, attributes: Attributes) -> Deny | None:
    if principal.models is None or attributes.model is None or attributes.model in principal.models:
        return None
    return Deny("This key may not call this model.")


def _says_what_it_is(principal: Principal, action: str, _attributes: Attributes) -> Deny | None:
    """Who says what names lead to, and cost, is not bound by names: not by another one either, that ends as its own."""
    if principal.models is None or action != Permission.MODELS_WRITE:
        return None
    return Deny("Your key is bound to models, so it can't say what their names lead to.")


def _needs_second_factor(principal: Principal, action: str, _at: Attributes) -> Deny | None:
    """What is a person's own stays open, or it could not switch codes on."""
    if not principal.lacks_second_factor or action == SELF:
        return None
    reason = "This organisation asks its members for codes at sign-in: switch them on for your account."
    return Deny(reason, code="second_factor_required")


def _lacks(principal: Principal, action: str, _attributes: Attributes) -> Deny | None:
    if principal.may(action):
        return None
    if principal.suspended is not None:  # it has no scopes, so no other call pays for the question
        return suspended(principal.suspended)
    if action == SELF:
        return Deny("This is for people who have signed in, not for keys.")
    return Deny(f"{'You lack' if principal.is_person else 'This key lacks'} the scope {action}.")


def suspended(what: str) -> Deny:
    """Return what a caller is told whose organisation or account the operator has suspended."""
    return Deny(f"This {what} is suspended. Ask whoever runs this deployment.", code=f"{what}_suspended")


def _within(address: str | None, ranges: Set[str]) -> bool:
    """Tell whether an address is in one of these ranges. What is no address, or not known, is in none."""
    client = parse_address(address) if address else None
    return client is not None and any(parse_range(text).holds(client) for text in ranges)


_Rule = Callable[[Principal, str, Attributes], Deny | None]
_RULES: tuple[_Rule, ...] = (
    _has_ended,
    _is_elsewhere,
    _is_of_another_page,
    _is_another_model,
    _says_what_it_is,
    _needs_second_factor,
    _lacks,
)
