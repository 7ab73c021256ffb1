"""Suspending an organisation or a person: what a deployment's operator does to whoever abuses it, and can take back.

From the answer on every call is refused, by 403 `organisation_suspended` or `account_suspended`, in every isolate: the
keys' rows say so, and the gates send back all that was judged before. It is noted in the log of whom it concerns.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lib.audit.differences import differences
from lib.events.event import Detail, Event, Policy
from lib.events.work import tell_gates
from lib.kernel.errors import NotFound
from lib.keys import key_store
from lib.sign_in import suspension_store
from lib.sign_in.parts import SigningIn
from lib.sign_in.suspension_store import OperatorsOrg, OperatorsPerson
from lib.store.tenant import Org, Person
from lib.users import person_store

ACTOR = "operator"


async def set_org(parts: SigningIn, org_id: str, *, suspended: bool) -> OperatorsOrg:
    """Suspend an organisation, or take it back. Twice is harmless. Raises NotFound."""
    row, work = await get_org(parts, org_id), parts.work(ACTOR)
    at = work.now if suspended else None
    name, details = "org.suspended" if suspended else "org.reinstated", _details(row.suspended_at, at)
    keys = suspension_store.set_keys_of_org(org_id, at)
    only_if = suspension_store.org_is(org_id, suspended=not suspended)
    event = Event(name, Org(org_id), f"org:{org_id}", details)
    await work.commit(event, suspension_store.set_org(org_id, at, work.now), keys, only_if=only_if)
    if suspended:  # a key that a call was making meanwhile: the calls from now on are refused
        await parts.database.batch(Org(org_id), [keys])
    return await get_org(parts, org_id)


async def set_person(parts: SigningIn, user_id: str, *, suspended: bool) -> OperatorsPerson:
    """Suspend a person, or take it back: its account, and the keys that it has made or holds. Raises NotFound.

    Its keys stay with an organisation that it leaves, before or meanwhile: the same is done to those.
    """
    row, work = await get_person(parts, user_id), parts.work(ACTOR)
    at = work.now if suspended else None
    name = "user.suspended" if suspended else "user.reinstated"
    only_if = suspension_store.person_is(user_id, suspended=not suspended)
    event = Event(name, Person(user_id), details=_details(row.suspended_at, at))
    # The gates are told below, when all keys say it too: one that is away must leave none of the others' keys alone.
    await work.write(event, suspension_store.set_person(user_id, at, work.now), only_if=only_if)
    joined = await person_store.orgs_of(parts.database, user_id)
    orgs = {*joined, *await key_store.organisations_of_person(parts.database, user_id)}
    await _set_keys(parts, orgs, user_id, at)
    try:
        await tell_gates(parts.gates, dict.fromkeys(orgs, Policy.ACCOUNTS))
    finally:
        if suspended:  # as above
            await _set_keys(parts, orgs, user_id, at)
    return await get_person(parts, user_id)


async def _set_keys(parts: SigningIn, orgs: Iterable[str], user_id: str, at: datetime | None) -> None:
    for org_id in orgs:
        await parts.database.batch(Org(org_id), [suspension_store.set_keys_of_person(org_id, user_id, at)])


async def get_org(parts: SigningIn, org_id: str) -> OperatorsOrg:
    """Return an organisation as the operator sees it. Raises NotFound."""
    row = await suspension_store.get_org(parts.database, org_id)
    if row is None:
        raise NotFound("There is no such organisation.")
    return row


async def get_person(parts: SigningIn, user_id: str) -> OperatorsPerson:
    """Return a person as the operator sees it. Raises NotFound."""
    row = await suspension_store.get_person(parts.database, user_id)
    if row is None or row.deleted_at is not None:
        raise NotFound("There is no such person.")
    return row


def _details(old: datetime | None, new: datetime | None) -> dict[str, Detail]:
    return differences({"suspended_at": old}, {"suspended_at": new})
