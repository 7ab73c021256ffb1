"""People's accounts: signing in, and who it is that changes one."""

from __future__ import annotations

from functools import partial

from lib.http import etag
from lib.http.errors import Forbidden, Unauthorized
from lib.http.request import Headers
from lib.identity import account_store, homes, people, second_factor
from lib.identity.context import Context
from lib.identity.later import later
from lib.identity.models import Principal
from lib.identity.ports import Purpose
from lib.kernel.event import DENIED, Event
from lib.services import Services
from lib.store.database import Statement
from lib.store.schema import UserRow
from lib.store.scope import Person

_WRONG = "The address, the password or the code is wrong."


async def sign_in(services: Services, email: str, password: str, totp_code: str | None, context: Context) -> UserRow:
    """Return whose address (a normal one, see `addresses`) and password these are.

    Raises Unauthorized: `invalid_credentials`, the same for an unknown address and a wrong password, after the same
    work; `totp_required` when the password is right and a code is needed. Forbidden, `email_not_verified`.
    TooManyRequests when it was tried too often.
    """
    await services.guard.check(Purpose.SIGN_IN, email, context.address)
    user = await account_store.find(services.database, email)
    good = services.passwords.verify(user.password_hash if user else None, password)
    if user is None or not good:
        await services.guard.failed(Purpose.SIGN_IN, email, context.address)
        raise _refused(services, user)
    people.check_account(user.suspended_at)
    if user.email_verified_at is None and user.vouched_at is None:
        raise Forbidden("Confirm your address first, with what we have sent to it.", code="email_not_verified")
    if user.totp_confirmed_at is not None:
        await _second_factor(services, user, totp_code, context)
    signed_in = Event("user.signed_in", Person(user.id))
    await services.work(f"user:{user.id}").commit(signed_in, *_rehashed(services, user, password))
    await services.guard.succeeded(Purpose.SIGN_IN, email, context.address)
    await homes.ensure(services, user)
    return user


async def confirm_password(services: Services, user: UserRow, password: str, context: Context) -> None:
    """Ask for the password again, before what whoever finds an open session must not do. Raises Forbidden.

    An account without a password has to set one first: by a mail, as if it were forgotten.
    """
    await services.guard.check(Purpose.SIGN_IN, user.email, context.address)
    if not services.passwords.verify(user.password_hash, password):
        await services.guard.failed(Purpose.SIGN_IN, user.email, context.address)
        raise Forbidden("The password is wrong.", code="wrong_password")
    # Without this it would count as under way, and the owner would wait after a few of its own changes.
    await services.guard.succeeded(Purpose.SIGN_IN, user.email, context.address)


async def person(services: Services, principal: Principal, headers: Headers | None = None) -> UserRow:
    """Return the account of whoever is calling. Raises Forbidden for a caller that is no person.

    With the headers of a request that changes it: PreconditionFailed where their `If-Match` names another version.
    """
    own = principal.user_id if principal.is_person else None  # a key may name the person that it was made for
    user = await account_store.get(services.database, own) if own else None
    if user is None or user.deleted_at is not None:
        raise Forbidden("Only a person may do this: sign in.", code="not_a_person")
    if headers is not None:
        etag.check_match(headers, user.version)
    return user


async def _second_factor(services: Services, user: UserRow, code: str | None, context: Context) -> None:
    if not code:
        raise Unauthorized("A code of your authenticator is needed.", code="totp_required")
    if not await second_factor.accepts(services, user, code, context):
        raise _refused(services, user)


def _rehashed(services: Services, user: UserRow, password: str) -> list[Statement]:
    """Return what stores the password at the cost that is configured now: this is when we know it."""
    if user.password_hash is None or not services.passwords.needs_rehash(user.password_hash):
        return []
    new = services.passwords.hash(password)
    return [account_store.rehash(user.id, user.password_hash, new, services.clock.now())]


async def note_failed(services: Services, user_id: str) -> None:
    """Note on an account that somebody has failed to get in."""
    await services.work(f"user:{user_id}").commit(Event("user.sign_in_failed", Person(user_id), result=DENIED))


def _refused(services: Services, user: UserRow | None) -> Unauthorized:
    """Return the one error. On the account, where there is one, it is noted when the answer has begun."""
    failure = Unauthorized(_WRONG, code="invalid_credentials")
    if user is not None:
        failure.finish = later(services, partial(note_failed, services, user.id))
    return failure
