"""Signing in again before what could take an account over: whoever finds an open session must not get that far.

All that signing in asks for is asked again (ASVS V7.5.1): the password, and a code where the account has them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from lib.kernel.errors import Forbidden, UnprocessableEntity
from lib.sessions import sessions
from lib.sign_in import accounts, second_factor

if TYPE_CHECKING:
    from lib.access.principal import Principal
    from lib.http.context import Context
    from lib.sign_in.parts import SigningIn
    from lib.store.schema import UserRow

# Who has no password shows by a young session that it is still the one who signed in.
YOUNG = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a person shows once more. `code` is the authenticator's, or a recovery code."""

    password: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)


async def with_password(parts: SigningIn, user: UserRow, proof: Proof, context: Context) -> None:
    """Ask for the password, and for a code where the account has them. An account without a password is refused.

    Raises Forbidden, `wrong_password` or `totp_required`; UnprocessableEntity, `wrong_code`; TooManyRequests.
    """
    await accounts.confirm_password(parts, user, proof.password or "", context)
    await _code(parts, user, proof, context)


async def with_session(parts: SigningIn, principal: Principal, user: UserRow, proof: Proof, context: Context) -> None:
    """Ask for the password, or for a session of the last minutes where there is none; and for a code as above.

    Raises what `with_password` does; Forbidden, `sign_in_again`, where the session is too old; Unauthorized where an
    account without a password comes without a session.
    """
    if user.password_hash is not None:
        await with_password(parts, user, proof, context)
        return
    if not await _is_young(parts, principal):
        raise Forbidden("Sign out and in again: your session is too old for this.", code="sign_in_again")
    await _code(parts, user, proof, context)


async def lately(parts: SigningIn, principal: Principal, user: UserRow, proof: Proof, context: Context) -> None:
    """Ask as `with_session` does, but for nothing where the caller's session itself is of the last minutes."""
    if principal.kind == "session" and await _is_young(parts, principal):
        return
    await with_session(parts, principal, user, proof, context)


async def _is_young(parts: SigningIn, principal: Principal) -> bool:
    session = await sessions.get(parts, principal, sessions.signed_in(principal))
    return parts.clock.now() - session.created_at <= YOUNG


async def _code(parts: SigningIn, user: UserRow, proof: Proof, context: Context) -> None:
    if user.totp_confirmed_at is None:
        return
    if not proof.code:
        raise Forbidden("A code of your authenticator is needed.", code="totp_required")
    if not await second_factor.accepts(parts, user, proof.code, context):
        raise UnprocessableEntity("The code is wrong, or was used.", code="wrong_code", param="totp_code")
