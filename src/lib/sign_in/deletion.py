"""Deleting an account: the person goes, what was used stays on the ledger under the id of a key."""

from __future__ import annotations

from lib.events.event import Event
from lib.http.context import Context
from lib.kernel.errors import Conflict
from lib.orgs import home_store, invitation_store
from lib.sign_in import reauthentication
from lib.sign_in.parts import SigningIn
from lib.sign_in.reauthentication import Proof
from lib.store.schema import UserRow
from lib.store.tenant import Org, Person
from lib.users import account_store


async def delete(parts: SigningIn, user: UserRow, proof: Proof, context: Context) -> None:
    """Leave every organisation, and take the name and the address out of the account.

    Raises what `reauthentication.with_password` does; Conflict, `last_owner`, where others are in an organisation that
    has no other owner: it must be handed over first. An organisation where nobody else is ends with its owner: all of
    its keys are revoked. Each organisation is left in a group of its own; when that breaks off, deleting again goes on.
    """
    await reauthentication.with_password(parts, user, proof, context)
    joined = await home_store.memberships(parts.database, user.id)
    for membership in joined:  # before anything is changed, so that a refusal leaves all as it was
        if not await home_store.may_leave(parts.database, membership.org_id, user.id):
            raise _last_owner()
    for membership in joined:
        await _leave(parts, membership.org_id, user)
    work = parts.work(f"user:{user.id}")
    await work.commit(Event("user.deleted", Person(user.id)), *account_store.anonymise(user.id, work.now))


async def _leave(parts: SigningIn, org_id: str, user: UserRow) -> None:
    work = parts.work(f"user:{user.id}")
    group = [
        *home_store.leave(org_id, user.id, work.now),
        home_store.forget_name(org_id, work.now),
        invitation_store.end_of_member(org_id, user.id, user.email, work.now),
    ]
    event = Event("member.left", Org(org_id), work.actor)
    if not await work.commit(event, *group, only_if=home_store.leaving(org_id, user.id)):
        raise _last_owner()  # the other owner has left meanwhile


def _last_owner() -> Conflict:
    message = "You are the last owner of an organisation with other members. Make one of them an owner first."
    return Conflict(message, code="last_owner")
