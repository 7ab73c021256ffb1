"""Invitations to an organisation: sent by mail, for one address, to be accepted once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from lib.audit.differences import Detail, differences
from lib.http.errors import Conflict, NotFound
from lib.identity import changes, invitation_store, member_store, org_service, people
from lib.identity.api_keys import key_hash
from lib.identity.changes import Change
from lib.identity.context import Context
from lib.identity.models import Principal
from lib.identity.opaque import is_secret, new_secret
from lib.ids import is_id, new_id
from lib.mail import templates
from lib.services import Services
from lib.store.schema import InvitationRow, UserRow

PREFIX = "hgi_"
_WRONG = "The invitation is not for this account, or not open any more."


async def create(
    services: Services, principal: Principal, email: str, role: tuple[str, str | None], hours: int, context: Context
) -> InvitationRow:
    """Invite an address; an invitation to it that is still open gives way. `role` is of `member_service.wanted_role`.

    The mail goes out before the answer does, so that whoever invites hears of it when it can't: repeating is harmless.
    Raises Conflict for an address of a member, or with too many open invitations; Unavailable without a mail server.
    """
    org_id, now, secret = principal.org_id, services.clock.now(), new_secret(PREFIX)
    if await member_store.has_member(services.database, org_id, email):
        raise Conflict("Somebody with this address is a member already.", code="already_member")
    row = InvitationRow(
        id=new_id(now),
        org_id=org_id,
        email=email,
        role=role[0],
        custom_role_id=role[1],
        invited_by_user_id=principal.user_id if principal.is_person else None,
        secret_hash=key_hash(secret, services.pepper),
        expires_at=now + timedelta(hours=hours),
        accepted_at=None,
        revoked_at=None,
        created_at=now,
        updated_at=now,
    )
    only_if, target = invitation_store.may_insert(row), f"invitation:{row.id}"
    change = Change("invitation.created", target, only_if, invitation_store.insert(row), _offered(None, row))
    if not await changes.make(services, org_id, principal.actor, change, context):
        most = invitation_store.MOST_OPEN
        raise Conflict(f"An organisation has at most {most} open invitations.", code="too_many_invitations")
    await services.mailer.send(templates.invitation(email, services.config.account.public_url, secret, hours))
    return row


async def get(services: Services, org_id: str, invitation_id: str) -> InvitationRow:
    """Return one invitation. Raises NotFound."""
    known = is_id(invitation_id)
    row = await invitation_store.get_invitation(services.database, org_id, invitation_id) if known else None
    if row is None:
        raise NotFound("There is no such invitation.")
    return row


async def revoke(services: Services, principal: Principal, row: InvitationRow, context: Context) -> None:
    """Take an invitation back. One that is not open any more stays what it is."""
    now = services.clock.now()
    only_if = invitation_store.is_open(row.org_id, row.id, now)
    gone = invitation_store.revoke(row.org_id, row.id, now)
    change = Change("invitation.revoked", f"invitation:{row.id}", only_if, [gone], _offered(row, None))
    await changes.make(services, row.org_id, principal.actor, change, context)


async def find(services: Services, token: str, email: str) -> InvitationRow | None:
    """Return the invitation that a token opens, if it is for this address and still open."""
    if not is_secret(PREFIX, token):
        return None
    row = await invitation_store.find(services.database, key_hash(token, services.pepper))
    if row is None or row.email != email or row.accepted_at or row.revoked_at:
        return None
    return row if row.expires_at > services.clock.now() else None


async def accept(services: Services, user: UserRow, invitation: InvitationRow, context: Context | None = None) -> None:
    """Make the person a member. Nothing happens when the invitation is not open any more."""
    await _join(services, user.id, invitation, context or Context(""))


async def accept_own(services: Services, principal: Principal, token: str, context: Context) -> InvitationRow:
    """Make the caller a member. Raises NotFound for an invitation of somebody else, and for one that is not open;
    Conflict for who is in very many organisations already.

    The token was sent to the address that it is for, so who has both needs no other proof of the address.
    """
    user_id = str(principal.user_id)
    email = await invitation_store.email_of(services.database, user_id)
    row = await find(services, token, email) if email else None
    if row is None:
        raise NotFound(_WRONG)
    if not await _join(services, user_id, row, context):
        if await find(services, token, str(email)) is not None:  # it is open, so that is not the reason
            raise org_service.too_many()
        raise NotFound(_WRONG)
    return row


async def _join(services: Services, user_id: str, row: InvitationRow, context: Context) -> bool:
    now, most = services.clock.now(), org_service.MOST_OF_ONE_PERSON
    only_if = invitation_store.may_accept(row, user_id, most, now)
    statements = invitation_store.accept(row, user_id, most, now)
    details = {"invitation": row.id, "role": row.role}
    change = Change("member.joined", f"user:{user_id}", only_if, statements, details, joins=user_id)
    if not await changes.make(services, row.org_id, f"user:{user_id}", change, context):
        return False
    await people.ensure_key(services, row.org_id, user_id)
    await services.gates.changed(row.org_id)
    return True


def _offered(old: InvitationRow | None, new: InvitationRow | None) -> Mapping[str, Detail]:
    """Return what an invitation offers: whom it is for is that person's own."""
    was, now = (row and {"role": row.role, "custom_role": row.custom_role_id} for row in (old, new))
    return differences(was, now)
