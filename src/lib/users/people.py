"""From a person, as the store knows it, to a principal: who may what, where, and what its calls are counted on."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from lib.access import policy
from lib.access.policy import permissions_of
from lib.access.principal import NONE, Principal
from lib.http import etag
from lib.http.request import Headers
from lib.kernel.errors import Forbidden, NotFound
from lib.kernel.ids import new_id
from lib.store.database import Statement
from lib.store.schema import UserRow
from lib.store.tenant import Org
from lib.users import account_store, person_store
from lib.users.person_store import PersonRow

if TYPE_CHECKING:
    from lib.events.parts import Parts


def principal_of(
    row: PersonRow, org_id: str, kind: Literal["token", "session"], session_id: str, most: frozenset[str] | None = None
) -> Principal:
    """Return who a person is where it has signed in: with no rights where it is no member (any more).

    `most` is what its token may do at most. What its role may do now counts all the same.
    """
    suspended = _suspended(row)
    if row.role is None or row.key_id is None:
        return Principal(
            NONE,
            NONE,
            frozenset(),
            None,
            user_id=row.user_id,
            kind=kind,
            session_id=session_id,
            suspended=suspended if suspended == "account" else None,
        )
    scopes = frozenset[str]() if suspended else scopes_of(row)
    return Principal(
        org_id=org_id,
        key_id=row.key_id,
        scopes=scopes if most is None else scopes & most,
        expires_at=None,
        user_id=row.user_id,
        role=row.role,
        kind=kind,
        session_id=session_id,
        lacks_second_factor=row.lacks_second_factor and suspended is None,
        suspended=suspended,
        member_of=row.member_of or "",
    )


def _suspended(row: PersonRow) -> Literal["organisation", "account"] | None:
    if row.suspended_at is not None:
        return "account"
    return None if row.org_suspended_at is None else "organisation"


def check_account(suspended_at: datetime | None) -> None:
    """Raise Forbidden, `account_suspended`, for somebody whose account the operator has suspended."""
    if suspended_at is not None:
        told = policy.suspended("account")
        raise Forbidden(told.reason, code=told.code)


def scopes_of(row: PersonRow) -> frozenset[str]:
    """Return what a person may do in the organisation where it was looked up."""
    if row.role is None:
        return frozenset()
    custom = None if row.custom_role_id is None else row.permissions or frozenset()
    return permissions_of(row.role, custom)


def is_over(row: PersonRow, begun_at: datetime) -> bool:
    """Tell whether what a person began at that time holds no more: it has signed out everywhere, or is deleted.

    Compared by milliseconds, which is all that a token knows of its time.
    """
    return row.deleted_at is not None or (row.signed_out_at is not None and _ms(begun_at) < _ms(row.signed_out_at))


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


async def choose_org(parts: Parts, user_id: str, wanted: str | None) -> str:
    """Return the organisation to be active in: the wanted one, else the first that the person joined, else none.

    Raises NotFound where it is no member of the wanted one.
    """
    orgs = await person_store.orgs_of(parts.database, user_id)
    if wanted is not None and wanted not in orgs:
        raise NotFound("There is no such organisation.")
    org_id = wanted or next(iter(orgs), NONE)
    if org_id:
        await ensure_key(parts, org_id, user_id)
    return org_id


async def person(parts: Parts, principal: Principal, headers: Headers | None = None) -> UserRow:
    """Return the account of whoever is calling. Raises Forbidden for a caller that is no person.

    With the headers of a request that changes it: PreconditionFailed where their `If-Match` names another version.
    """
    own = principal.user_id if principal.is_person else None  # a key may name the person that it was made for
    user = await account_store.get(parts.database, own) if own else None
    if user is None or user.deleted_at is not None:
        raise Forbidden("Only a person may do this: sign in.", code="not_a_person")
    if headers is not None:
        etag.check_match(headers, user.version)
    return user


async def ensure_key(parts: Parts, org_id: str, user_id: str) -> None:
    """Make the key that a member's calls are counted on, where there is none. Nobody ever has its secret."""
    await parts.database.batch(Org(org_id), own_key(parts, org_id, user_id))


def own_key(parts: Parts, org_id: str, user_id: str) -> list[Statement]:
    """Return the group that makes a member's key, where there is none."""
    now = parts.clock.now()
    place = f"person\0{org_id}\0{user_id}".encode()
    secret_hash = hmac.new(parts.pepper, place, hashlib.sha256).hexdigest()
    return person_store.own_key(org_id, user_id, new_id(now), secret_hash, now)
