"""Events: what a change is told as, in the log of whom it concerns, and what it means for the gates. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Flag, auto

from lib.store.tenant import Org, Person

Plain = str | int | bool | None
Changes = Mapping[str, Mapping[str, Plain]]
Detail = Plain | Changes  # one of an event's `details`

OK, DENIED, FAILED = "ok", "denied", "failed"


class Policy(Flag):
    """What of that which gates and isolates keep is old after an event."""

    NOTHING = 0
    ACCOUNTS = auto()  # who may call, and with which models
    RULES = auto()  # limits, budgets, adjustments, and the zone by which they count


# Every event that a change has. A person's are told to the gates of all its organisations.
EVENTS: Mapping[str, Policy] = {
    **dict.fromkeys(
        (
            "invitation.created", "invitation.revoked", "key.created", "login.added", "login.confirmed",
            "login.removed", "login.used", "org.created", "request.refused", "role.created", "role.deleted",
            "session.begun", "session.ended", "team.changed", "team.created", "token.granted", "user.deleted",
            "user.email_change_requested", "user.email_change_stopped", "user.email_changed", "user.email_verified",
            "user.renamed", "user.reset_requested", "user.sign_in_failed", "user.signed_in", "user.signed_up",
            "user.signed_up_again", "user.totp_begun",
        ),
        Policy.NOTHING,
    ),
    **dict.fromkeys(
        (
            "key.leak_reported", "key.revoked", "key.updated", "member.changed", "member.joined", "member.left",
            "member.removed", "model.deleted", "model.put", "org.reinstated", "org.suspended", "role.changed",
            "session.all_ended", "team.deleted", "team.member_added", "team.member_removed", "token.reused",
            "token.revoked", "user.password_changed", "user.password_reset", "user.reinstated", "user.suspended",
            "user.totp_disabled", "user.totp_enabled",
        ),
        Policy.ACCOUNTS,
    ),
    **dict.fromkeys(
        (
            "budget.adjusted", "budget.adjustment_deleted", "budget.created", "budget.deleted", "budget.updated",
            "key.minted", "limit.created", "limit.deleted", "limit.updated",
        ),
        Policy.RULES,
    ),
    **dict.fromkeys(("key.rotated", "org.updated"), Policy.ACCOUNTS | Policy.RULES),
}  # fmt: skip


def policy_of(name: str) -> Policy:
    """Return what an event means for gates: of one that a later release has noted, everything."""
    return EVENTS.get(name, Policy.ACCOUNTS | Policy.RULES)


@dataclass(frozen=True, slots=True)
class Event:
    """What was done, or tried: one of EVENTS. It stands in its owner's log, and makes old what `policy_of` says.

    `target` is what it was done to, as `key:<id>`. `rule` is the one rule of which a gate is told, where it need not
    read all of them (see `lib.admission.rules.changed`).
    """

    name: str
    owner: Org | Person
    target: str | None = None
    details: Mapping[str, Detail] = field(default_factory=dict)
    result: str = OK
    rule: str | None = None
