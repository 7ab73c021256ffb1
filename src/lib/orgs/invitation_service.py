"""Invitations to an organisation: sent by mail, for one address, to be accepted once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import NoReturn

from lib.access import access
from lib.access.policy import Allow, decide_grant
from lib.access.principal import Permission, Principal
from lib.audit.differences import differences
from lib.defence import mail_counts
from lib.events.event import Detail, Event
from lib.http.context import Context
from lib.kernel.errors import Conflict, NotFound
from lib.kernel.ids import is_id, new_id
from lib.mail import templates
from lib.orgs import invitation_store, member_store, org_service
from lib.orgs.invitation_store import INVITATIONS
from lib.orgs.parts import Mailing
from lib.orgs.role_service import ROLES
from lib.secrets import rotation
from lib.secrets.api_keys import key_hash
from lib.secrets.opaque import is_secret, new_secret
from lib.store.schema import InvitationRow, UserRow
from lib.store.tenant import Org
from lib.users import people, person_store

PREFIX = "hgi_"
_WRONG = "The invitation is not for this account, or not open any more."


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom to invite, and as what: `role` is of `member_service.wanted_role`. `send`: by mail."""

    email: str
    role: tuple[str, str | None]
    hours: int
    send: bool = True


@dataclass(frozen=True, slots=True)
class Offer:
    """An invitation that was just made. `secret` opens it: None where that has gone out by mail."""

    row: InvitationRow
    secret: str | None = field(repr=False)


async def create(parts: Mailing, principal: Principal, wanted: Wanted, context: Context) -> Offer:
    """Invite an address; an invitation to it that is still open gives way.

    The mail goes out before the answer does, so that whoever invites hears of it when it can't: repeating is harmless.
    Raises Conflict for an address of a member, or with too many open invitations; Forbidden where the one that gives
    way is to more than the caller has; TooManyRequests; Unavailable without a mail server.
    """
    org_id, email, work, secret = principal.org_id, wanted.email, parts.work(principal.actor), new_secret(PREFIX)
    now = work.now
    if await member_store.has_member(parts.database, org_id, email):
        raise Conflict("Somebody with this address is a member already.", code="already_member")
    old = await invitation_store.open_to(parts.database, org_id, email, now)
    if old is not None:
        await _require_as_much(parts, principal, old)
    if wanted.send:
        await mail_counts.count_invitation(parts, org_id, email, context)
    row = InvitationRow(
        id=new_id(now),
        org_id=org_id,
        email=email,
        role=wanted.role[0],
        custom_role_id=wanted.role[1],
        invited_by_user_id=principal.user_id if principal.is_person else None,
        secret_hash=key_hash(secret, parts.pepper),
        expires_at=now + timedelta(hours=wanted.hours),
        accepted_at=None,
        revoked_at=None,
        created_at=now,
        updated_at=now,
        mailed=wanted.send,
        invited_by_key_id=None if principal.is_person else principal.key_id,
    )
    instead_of = old.id if old else ""
    event, group = _event("invitation.created", row, _offered(None, row)), invitation_store.insert(row, instead_of)
    if not await work.commit(event, *group, only_if=invitation_store.may_insert(row, instead_of)):
        await _refuse(parts, row, instead_of)
    if not wanted.send:
        return Offer(row, secret)
    await parts.mailer.send(templates.invitation(email, parts.config.account.public_url, secret, wanted.hours))
    return Offer(row, None)


async def _refuse(parts: Mailing, row: InvitationRow, instead_of: str) -> NoReturn:
    """Raise the error that tells why nothing was made."""
    there = await invitation_store.open_to(parts.database, row.org_id, row.email, row.created_at)
    if there is not None and there.id != instead_of:
        raise Conflict("Somebody else has just invited this address. Look again.", code="already_invited")
    raise Conflict(f"An organisation has at most {INVITATIONS.most} open invitations.", code="too_many_invitations")


async def get(parts: Mailing, org_id: str, invitation_id: str) -> InvitationRow:
    """Return one invitation. Raises NotFound."""
    known = is_id(invitation_id)
    row = await INVITATIONS.get(parts.database, org_id, invitation_id) if known else None
    if row is None:
        raise NotFound("There is no such invitation.")
    return row


async def revoke(parts: Mailing, principal: Principal, row: InvitationRow) -> None:
    """Take an invitation back. One that is not open any more stays what it is. Raises Forbidden where it is to more
    than the caller has: an admin undoes no owner's.
    """
    await _require_as_much(parts, principal, row)
    work = parts.work(principal.actor)
    only_if = invitation_store.is_open(row.org_id, row.id, work.now)
    event = _event("invitation.revoked", row, _offered(row, None))
    gone = invitation_store.revoke(row.org_id, row.id, work.now)
    await work.commit(event, gone, only_if=only_if)


async def find(parts: Mailing, token: str, email: str) -> InvitationRow | None:
    """Return the invitation that a token opens, if it is for this address and still open.

    It is open while whoever has sent it may still send it: what a member gives ends with what it has.
    """
    if not is_secret(PREFIX, token):
        return None
    row = await rotation.found(parts, token, partial(invitation_store.find, parts.database))
    if row is None or row.email != email or row.accepted_at or row.revoked_at:
        return None
    return row if row.expires_at > parts.clock.now() and await _may_still_invite(parts, row) else None


async def _may_still_invite(parts: Mailing, row: InvitationRow) -> bool:
    if row.invited_by_user_id is None:  # a key has: it ends with that (`key_store`), or stays the organisation's
        return True
    inviter = await person_store.find_person(parts.database, row.invited_by_user_id, row.org_id)
    if inviter is None:
        return False
    principal = people.principal_of(inviter, row.org_id, "session", "")
    grants = decide_grant(principal, row.role, await _permissions(parts, row))
    return Permission.INVITATIONS_WRITE in principal.scopes and isinstance(grants, Allow)


async def _require_as_much(parts: Mailing, principal: Principal, row: InvitationRow) -> None:
    access.require_grant(principal, row.role, await _permissions(parts, row))


async def _permissions(parts: Mailing, row: InvitationRow) -> frozenset[str] | None:
    """Return what the custom role gives to which somebody is invited; None where it is to none."""
    if row.custom_role_id is None:
        return None
    role = await ROLES.get(parts.database, row.org_id, row.custom_role_id)
    return role.permissions if role else frozenset()


async def accept(parts: Mailing, user: UserRow, invitation: InvitationRow) -> None:
    """Make the person a member. Nothing happens when the invitation is not open any more."""
    await _join(parts, user.id, invitation)


async def accept_own(parts: Mailing, principal: Principal, token: str) -> InvitationRow:
    """Make the caller a member. Raises NotFound for an invitation of somebody else, and for one that is not open;
    Conflict for who is in very many organisations already.

    It is for the address that the caller's account has, so it needs no other proof.
    """
    user_id = str(principal.user_id)
    email = await invitation_store.email_of(parts.database, user_id)
    row = await find(parts, token, email) if email else None
    if row is None:
        raise NotFound(_WRONG)
    if not await _join(parts, user_id, row):
        if await find(parts, token, str(email)) is not None:  # it is open, so that is not the reason
            raise org_service.too_many()
        raise NotFound(_WRONG)
    return row


async def _join(parts: Mailing, user_id: str, row: InvitationRow) -> bool:
    work, most = parts.work(f"user:{user_id}"), org_service.MOST_OF_ONE_PERSON
    event = Event("member.joined", Org(row.org_id), work.actor, {"invitation": row.id, "role": row.role})
    group = [
        *invitation_store.accept(row, user_id, most, work.now),
        *people.own_key(parts, row.org_id, user_id),
    ]
    only_if = invitation_store.may_accept(row, user_id, most, work.now)
    return await work.commit(event, *group, only_if=only_if, joins=user_id)


def _event(name: str, row: InvitationRow, details: Mapping[str, Detail]) -> Event:
    return Event(name, Org(row.org_id), f"invitation:{row.id}", details)


def _offered(old: InvitationRow | None, new: InvitationRow | None) -> Mapping[str, Detail]:
    """Return what an invitation offers: whom it is for is that person's own."""
    was, now = (
        row and {"role": row.role, "custom_role": row.custom_role_id, "mailed": row.mailed} for row in (old, new)
    )
    return differences(was, now)
