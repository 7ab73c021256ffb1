"""Switching codes at sign-in on and off."""

from __future__ import annotations

from dataclasses import dataclass, field

from lib.defence.attempts import Purpose
from lib.events.event import Event
from lib.http.context import Context
from lib.http.response import Finish
from lib.kernel.errors import Conflict, UnprocessableEntity
from lib.mail import templates
from lib.sign_in import accounts, recovery_codes, second_factor, second_factor_store, totp
from lib.sign_in.later import later
from lib.sign_in.parts import SigningIn
from lib.store.schema import UserRow
from lib.store.tenant import Person

_ON_ALREADY = "Codes are switched on already. Switch them off first."


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator is given: to type, and as a QR code's content."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


async def begin(parts: SigningIn, user: UserRow, password: str, context: Context) -> Enrolment:
    """Make a secret, which `confirm` switches on. Raises Forbidden for a wrong password, Conflict when codes are on."""
    await accounts.confirm_password(parts, user, password, context)
    secret = totp.new_secret()
    sealed = await second_factor.seal(parts, user.id, secret)
    work, event = parts.work(f"user:{user.id}"), Event("user.totp_begun", Person(user.id))
    statement, off = second_factor_store.begin(user.id, sealed, work.now), second_factor_store.is_off(user.id)
    if not await work.commit(event, statement, only_if=off):
        raise Conflict(_ON_ALREADY, code="totp_enabled")
    return Enrolment(totp.shown(secret), totp.uri(secret, user.email))


async def confirm(parts: SigningIn, user: UserRow, code: str, context: Context) -> tuple[list[str], Finish]:
    """Switch codes on, with one of them; return the recovery codes, which nobody can read again, and what tells of it.

    Raises UnprocessableEntity for a wrong code, TooManyRequests for many of them.
    """
    if user.totp_confirmed_at is not None:
        raise Conflict(_ON_ALREADY, code="totp_enabled")
    if user.totp_sealed is None:
        raise Conflict("Begin with a secret.", code="totp_not_begun")
    await parts.guard.check(Purpose.TOTP, user.id, context.address)
    work, event = parts.work(f"user:{user.id}"), Event("user.totp_enabled", Person(user.id))
    secret = await second_factor.opened(parts, user.id, user.totp_sealed)
    step = totp.matching_step(secret, "".join(code.split()), work.now, user.totp_step)
    if step is None:
        await parts.guard.failed(Purpose.TOTP, user.id, context.address)
        raise UnprocessableEntity("This is not the code of now. Is the clock right?", code="wrong_code", param="code")
    codes = recovery_codes.new_codes()
    hashes = [recovery_codes.code_hash(text, user.id, parts.pepper) for text in codes]
    group = second_factor_store.confirm(user.id, user.totp_sealed, step, hashes, work.now)
    if not await work.commit(event, *group, only_if=second_factor_store.is_begun(user.id, user.totp_sealed)):
        raise Conflict("Somebody else was first. Look again.", code="totp_enabled")
    return codes, _told(parts, user, on=True)


async def end(parts: SigningIn, user: UserRow, password: str, code: str, context: Context) -> Finish:
    """Switch codes off, with the password and one more code; return what tells the person by mail."""
    await accounts.confirm_password(parts, user, password, context)
    if user.totp_confirmed_at is None:
        raise Conflict("Codes are not switched on.", code="totp_not_enabled")
    if not await second_factor.accepts(parts, user, code, context):
        raise UnprocessableEntity("The code is wrong, or was used.", code="wrong_code", param="code")
    work, event = parts.work(f"user:{user.id}"), Event("user.totp_disabled", Person(user.id))
    await work.commit(event, *second_factor_store.end(user.id, work.now))
    return _told(parts, user, on=False)


def _told(parts: SigningIn, user: UserRow, *, on: bool) -> Finish:
    async def work() -> None:
        await parts.mailer.send(templates.second_factor_changed(user.email, on=on))

    return later(parts, work)
