"""Whose account a way in at another provider leads to, and how one is added and removed.

An address connects a provider's word with an account only when it is verified on both sides. Otherwise whoever can
write another's address into some provider's form would get into that person's account; or would make the account
first, and wait in it for the owner to come (https://msrc.microsoft.com/blog/2022/05/pre-hijacking-attacks/).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from lib.events.event import Event
from lib.http.context import Context
from lib.issuers.issuer import Identity, SignInAttempt
from lib.kernel.errors import Conflict, Forbidden, NotFound, UnprocessableEntity
from lib.kernel.ids import new_id
from lib.kernel.names import plain
from lib.orgs import homes
from lib.secrets import rotation
from lib.secrets.api_keys import key_hash
from lib.sign_in import login_store, reauthentication, sign_up
from lib.store.database import Statement, UniqueViolation
from lib.store.schema import InvitationRow, LoginRow, UserRow
from lib.store.tenant import Person
from lib.users import account_store, addresses, people

if TYPE_CHECKING:
    from lib.access.principal import Principal
    from lib.sign_in.parts import SigningIn
    from lib.sign_in.reauthentication import Proof

MOST_LOGINS = 20
_MOST_NAME = 100


Arrival = tuple["UserRow", "InvitationRow | None"]


async def person_of(parts: SigningIn, identity: Identity, attempt: SignInAttempt) -> Arrival:
    """Return whose identity this is, and the invitation that it brings; use the attempt up. A new person is signed up,
    where that is allowed. `settle` follows when nothing more is asked of it.

    Raises Forbidden, Conflict or UnprocessableEntity, each with a code that tells what is missing.
    """
    login = await _known(parts, identity)
    if login is not None:
        return await _signed_in(parts, login.user_id, [], attempt, "login.used")
    email = _verified_email(identity)
    user = await account_store.find(parts.database, email)
    if user is None:
        return await _signed_up(parts, identity, email, attempt)
    if user.email_verified_at is None:
        message = (
            "There is an account with this address that nobody has confirmed. Ask for a new password there first, or"
            " sign in there and add this login."
        )
        raise Conflict(message, code="account_not_verified")
    group = [login_store.insert(_row(parts, identity, user.id))]
    return await _signed_in(parts, user.id, group, attempt, "login.added")


async def add(parts: SigningIn, identity: Identity, attempt: SignInAttempt, user_id: str) -> UserRow:
    """Add a way in for somebody who is signed in, and use the attempt up. Raises Conflict where it is another's."""
    login = await _known(parts, identity)
    if login is not None and login.user_id != user_id:
        raise _taken()
    if login is not None:
        return (await _signed_in(parts, user_id, [], attempt, "login.confirmed"))[0]
    if len(await login_store.of_person(parts.database, user_id, MOST_LOGINS)) >= MOST_LOGINS:
        raise Conflict(f"An account has at most {MOST_LOGINS} ways in.", code="too_many_logins")
    group = [login_store.insert(_row(parts, identity, user_id))]
    return (await _signed_in(parts, user_id, group, attempt, "login.added"))[0]


async def remove(parts: SigningIn, principal: Principal, login_id: str, proof: Proof, context: Context) -> None:
    """Take one of the caller's ways in away: whoever finds an open session must not lock its owner out.

    Raises NotFound; what `reauthentication.with_session` does; Conflict for the last one, which would leave its person
    outside.
    """
    user, work = await people.person(parts, principal), parts.work(principal.actor)
    await _find_own(parts, user.id, login_id)
    await reauthentication.with_session(parts, principal, user, proof, context)
    event = Event("login.removed", Person(user.id), details={"id": login_id})
    group, only_if = login_store.remove(user.id, login_id, work.now), login_store.may_remove(user.id, login_id)
    if not await work.commit(event, *group, only_if=only_if):
        await _refuse(parts, user.id, login_id)


async def _refuse(parts: SigningIn, user_id: str, login_id: str) -> None:
    """Raise the error that tells why nothing was removed."""
    await _find_own(parts, user_id, login_id)
    raise Conflict("This is your last way in: set a password, or add another.", code="last_login")


async def _find_own(parts: SigningIn, user_id: str, login_id: str) -> None:
    """Raise NotFound unless the person has this way in."""
    if all(row.id != login_id for row in await login_store.of_person(parts.database, user_id, MOST_LOGINS)):
        raise NotFound("There is no such login.")


async def _known(parts: SigningIn, identity: Identity) -> LoginRow | None:
    """Return the way in that an identity is, where somebody has it."""
    place, now = _place(identity), login_hash(parts, identity)
    login = await rotation.found(parts, place, partial(login_store.find, parts.database))
    if login is not None and login.secret_hash != now:
        await login_store.move(parts.database, login, now, parts.clock.now())
    return login


def login_hash(parts: SigningIn, identity: Identity) -> str:
    """Return the keyed hash by which a way in is found. Issuer and subject only together name somebody."""
    return key_hash(_place(identity), parts.pepper)


def _place(identity: Identity) -> str:
    return json.dumps(["login", identity.issuer, identity.subject])


async def _signed_in(
    parts: SigningIn, user_id: str, group: Sequence[Statement], attempt: SignInAttempt, name: str
) -> Arrival:
    user = await open_account(parts, user_id)
    invitation = await invitation_of(parts, attempt.invitation, user.email)
    await _write(parts, user_id, group, attempt, name)
    return user, invitation


async def _signed_up(parts: SigningIn, identity: Identity, email: str, attempt: SignInAttempt) -> Arrival:
    invitation = await invitation_of(parts, attempt.invitation, email)
    if invitation is None:
        sign_up.let_in(parts.config.account, email)
    now = parts.clock.now()
    user_id = new_id(now)
    group = [
        account_store.insert(user_id, email, _name(identity, email), None, now, now),
        login_store.insert(_row(parts, identity, user_id)),
    ]
    await _write(parts, user_id, group, attempt, "user.signed_up")
    return await open_account(parts, user_id), invitation


async def open_account(parts: SigningIn, user_id: str) -> UserRow:
    """Return an account that is there. Raises Forbidden where it was closed meanwhile."""
    user = await account_store.get(parts.database, user_id)
    if user is None or user.deleted_at is not None:
        raise Forbidden("This account is closed.", code="account_closed")
    people.check_account(user.suspended_at)
    return user


async def settle(parts: SigningIn, user: UserRow, invitation: InvitationRow | None) -> None:
    """Give the person where to belong: where it was invited, or an organisation of its own."""
    if invitation is not None:
        await parts.invitations.accept(parts, user, invitation)
    await homes.ensure(parts, user)


async def _write(parts: SigningIn, user_id: str, group: Sequence[Statement], attempt: SignInAttempt, name: str) -> None:
    work, event = parts.work(f"user:{user_id}"), Event(name, Person(user_id), details={"provider": attempt.provider})
    ends = datetime.fromtimestamp(attempt.expires_at, UTC)
    mark = hashlib.sha256(f"sign-in {attempt.state}".encode()).hexdigest()
    try:
        await work.commit(event, *group, login_store.use_up(user_id, mark, ends, work.now))
    except UniqueViolation:  # the attempt, the login or the address: somebody was faster, or it is a second time
        raise _taken() from None


async def invitation_of(parts: SigningIn, secret: str | None, email: str) -> InvitationRow | None:
    """Return the invitation that somebody brings, or None. Raises UnprocessableEntity for one that is not open."""
    if secret is None:
        return None
    invitation = await parts.invitations.find(parts, secret, email)
    if invitation is None:
        message = "The invitation is not for this address, or not open any more."
        raise UnprocessableEntity(message, code="invalid_invitation", param="invitation")
    return invitation


def _verified_email(identity: Identity) -> str:
    """Return the address. Raises the same for whatever is missing: who has an account is not told by a mere claim."""
    try:
        if identity.email is not None and identity.email_verified:
            return addresses.normal(identity.email)
    except ValueError:
        pass
    message = (
        "The identity provider names no address that it has verified. Sign in otherwise, and add this login there."
    )
    raise Forbidden(message, code="email_not_verified")


def _row(parts: SigningIn, identity: Identity, user_id: str) -> LoginRow:
    now = parts.clock.now()
    return LoginRow(
        id=new_id(now),
        user_id=user_id,
        secret_hash=login_hash(parts, identity),
        issuer=identity.issuer,
        subject=identity.subject,
        email=identity.email if identity.email and len(identity.email) >= 3 else None,
        created_at=now,
        updated_at=now,
    )


def _name(identity: Identity, email: str) -> str:
    """Return what it calls itself there, where that is a name here; else what stands before the @."""
    name = "".join(sign for sign in identity.name or "" if sign.isprintable()).strip()
    try:
        return plain(name[:_MOST_NAME].strip()) or email.partition("@")[0]
    except ValueError:
        return email.partition("@")[0]


def _taken() -> Conflict:
    return Conflict("This login is in use already, or this attempt was. Begin again.", code="login_taken")
