"""The second factor at sign-in: a code of an authenticator (TOTP), or a recovery code for whoever has lost it."""

from __future__ import annotations

import base64
import hashlib
import hmac

from lib.defence.attempts import Purpose
from lib.http.context import Context
from lib.secrets import rotation
from lib.secrets.api_keys import derive, secret_id
from lib.sign_in import recovery_codes, second_factor_store, totp
from lib.sign_in.parts import SigningIn
from lib.store.database import Statement
from lib.store.schema import UserRow
from lib.store.tenant import Person


async def accepts(parts: SigningIn, user: UserRow, code: str, context: Context) -> bool:
    """Tell whether this is a code of an account that has codes switched on, and use it up.

    Two requests with the same code don't both get in: the store decides. Raises TooManyRequests.
    """
    account = user.id  # not the address: only who knows the password gets here, so no stranger can delay the owner
    await parts.guard.check(Purpose.TOTP, account, context.address)
    for using in await _using(parts, user, "".join(code.split())):
        if await parts.database.execute(Person(user.id), using.sql, *using.values):
            await _move(parts, user)
            await parts.guard.succeeded(Purpose.TOTP, account, context.address)
            return True
    await parts.guard.failed(Purpose.TOTP, account, context.address)
    return False


async def seal(parts: SigningIn, user_id: str, secret: bytes) -> str:
    """Return a secret as it is stored: behind the id of the secret that it is sealed under."""
    current = parts.config.secret
    sealed = await parts.sealer.seal(_key(current, user_id), secret)
    return f"{secret_id(current)}.{base64.b64encode(sealed).decode()}"


async def opened(parts: SigningIn, user_id: str, sealed: str) -> bytes:
    """Return a secret that was stored for this person. Raises ValueError when it was another's."""
    candidates = (_key(secret, user_id) for secret in parts.config.secrets)
    return await rotation.opened(parts, candidates, base64.b64decode(sealed.rpartition(".")[2]))


async def _move(parts: SigningIn, user: UserRow) -> None:
    """Seal the authenticator's secret under the current secret, where it is under an older one."""
    if user.totp_sealed is None or not parts.older:
        return
    if user.totp_sealed.startswith(f"{secret_id(parts.config.secret)}."):
        return
    sealed = await seal(parts, user.id, await opened(parts, user.id, user.totp_sealed))
    moving = second_factor_store.seal_anew(user.id, user.totp_sealed, sealed, parts.clock.now())
    await parts.database.execute(Person(user.id), moving.sql, *moving.values)


async def _using(parts: SigningIn, user: UserRow, code: str) -> list[Statement]:
    """Return the statements of which one uses a code up; none where it can be no code."""
    now = parts.clock.now()
    if not (code.isascii() and code.isdigit() and len(code) == totp.DIGITS):
        hashes = [recovery_codes.code_hash(code, user.id, each) for each in (parts.pepper, *parts.older)]
        return [second_factor_store.use_code(user.id, each, now) for each in hashes]
    if user.totp_sealed is None:
        return []
    step = totp.matching_step(await opened(parts, user.id, user.totp_sealed), code, now, user.totp_step)
    return [] if step is None else [second_factor_store.use_step(user.id, step, now)]


def _key(secret: str, user_id: str) -> bytes:
    """A key for each person: a secret that is copied into another row can't be opened there."""
    return hmac.new(derive(secret, "totp-secrets"), user_id.encode(), hashlib.sha256).digest()
