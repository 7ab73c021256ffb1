"""People's accounts: signing in, and who it is that changes one."""

from __future__ import annotations

from functools import partial

from lib.defence.attempts import Purpose
from lib.events.event import DENIED, Event
from lib.http.context import Context
from lib.kernel.errors import Forbidden, Unauthorized
from lib.orgs import homes
from lib.sign_in import second_factor
from lib.sign_in.later import later
from lib.sign_in.parts import SigningIn
from lib.store.database import Statement
from lib.store.schema import UserRow
from lib.store.tenant import Person
from lib.users import account_store, people

_WRONG = "The address, the password or the code is wrong."


async def sign_in(parts: SigningIn, email: str, password: str, totp_code: str | None, context: Context) -> UserRow:
    """Return whose address (a normal one, see `addresses`) and password these are.

    Raises Unauthorized: `invalid_credentials`, the same for an unknown address and a wrong password, after the same
    work; `totp_required` when the password is right and a code is needed. Forbidden, `email_not_verified`.
    TooManyRequests when it was tried too often.
    """
    await parts.guard.check(Purpose.SIGN_IN, email, context.address)
    user = await account_store.find(parts.database, email)
    good = parts.passwords.verify(user.password_hash if user else None, password)
    if user is None or not good:
        await parts.guard.failed(Purpose.SIGN_IN, email, context.address)
        raise _refused(parts, user)
    people.check_account(user.suspended_at)
    if user.email_verified_at is None and user.vouched_at is None:
        raise Forbidden("Confirm your address first, with what we have sent to it.", code="email_not_verified")
    if user.totp_confirmed_at is not None:
        await _second_factor(parts, user, totp_code, context)
    signed_in = Event("user.signed_in", Person(user.id))
    await parts.work(f"user:{user.id}").commit(signed_in, *_rehashed(parts, user, password))
    await parts.guard.succeeded(Purpose.SIGN_IN, email, context.address)
    await homes.ensure(parts, user)
    return user


async def confirm_password(parts: SigningIn, user: UserRow, password: str, context: Context) -> None:
    """Ask for the password again, before what whoever finds an open session must not do. Raises Forbidden.

    An account without a password has to set one first: by a mail, as if it were forgotten.
    """
    await parts.guard.check(Purpose.SIGN_IN, user.email, context.address)
    if not parts.passwords.verify(user.password_hash, password):
        await parts.guard.failed(Purpose.SIGN_IN, user.email, context.address)
        raise Forbidden("The password is wrong.", code="wrong_password")
    # Without this it would count as under way, and the owner would wait after a few of its own changes.
    await parts.guard.succeeded(Purpose.SIGN_IN, user.email, context.address)


async def _second_factor(parts: SigningIn, user: UserRow, code: str | None, context: Context) -> None:
    if not code:
        raise Unauthorized("A code of your authenticator is needed.", code="totp_required")
    if not await second_factor.accepts(parts, user, code, context):
        raise _refused(parts, user)


def _rehashed(parts: SigningIn, user: UserRow, password: str) -> list[Statement]:
    """Return what stores the password at the cost that is configured now: this is when we know it."""
    if user.password_hash is None or not parts.passwords.needs_rehash(user.password_hash):
        return []
    new = parts.passwords.hash(password)
    return [account_store.rehash(user.id, user.password_hash, new, parts.clock.now())]


async def note_failed(parts: SigningIn, user_id: str) -> None:
    """Note on an account that somebody has failed to get in."""
    await parts.work(f"user:{user_id}").commit(Event("user.sign_in_failed", Person(user_id), result=DENIED))


def _refused(parts: SigningIn, user: UserRow | None) -> Unauthorized:
    """Return the one error. On the account, where there is one, it is noted when the answer has begun."""
    failure = Unauthorized(_WRONG, code="invalid_credentials")
    if user is not None:
        failure.finish = later(parts, partial(note_failed, parts, user.id))
    return failure
