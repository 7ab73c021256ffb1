"""The second factor at sign-in: a code of an authenticator (TOTP), or a recovery code for whoever has lost it."""

from __future__ import annotations

import base64
import hashlib
import hmac

from lib.identity import recovery_codes, second_factor_store, totp
from lib.identity.api_keys import derive
from lib.identity.context import Context
from lib.identity.ports import Purpose
from lib.services import Services
from lib.store.database import Statement
from lib.store.schema import UserRow
from lib.store.scope import Person


async def accepts(services: Services, user: UserRow, code: str, context: Context) -> bool:
    """Tell whether this is a code of an account that has codes switched on, and use it up.

    Two requests with the same code don't both get in: the store decides. Raises TooManyRequests.
    """
    account = user.id  # not the address: only who knows the password gets here, so no stranger can delay the owner
    await services.guard.check(Purpose.TOTP, account, context.address)
    using = await _using(services, user, "".join(code.split()))
    if using is not None and await services.database.execute(Person(user.id), using.sql, *using.values):
        await services.guard.succeeded(Purpose.TOTP, account, context.address)
        return True
    await services.guard.failed(Purpose.TOTP, account, context.address)
    return False


async def seal(services: Services, user_id: str, secret: bytes) -> str:
    """Return a secret as it is stored."""
    return base64.b64encode(await services.sealer.seal(_key(services, user_id), secret)).decode()


async def opened(services: Services, user_id: str, sealed: str) -> bytes:
    """Return a secret that was stored for this person. Raises ValueError when it was another's."""
    return await services.sealer.open(_key(services, user_id), base64.b64decode(sealed))


async def _using(services: Services, user: UserRow, code: str) -> Statement | None:
    """Return the statement that uses a code up, or None where it can be none."""
    now = services.clock.now()
    if not (code.isascii() and code.isdigit() and len(code) == totp.DIGITS):
        return second_factor_store.use_code(user.id, recovery_codes.code_hash(code, user.id, services.pepper), now)
    if user.totp_sealed is None:
        return None
    step = totp.matching_step(await opened(services, user.id, user.totp_sealed), code, now, user.totp_step)
    return None if step is None else second_factor_store.use_step(user.id, step, now)


def _key(services: Services, user_id: str) -> bytes:
    """A key for each person: a secret that is copied into another row can't be opened there."""
    return hmac.new(derive(services.config.secret, "totp-secrets"), user_id.encode(), hashlib.sha256).digest()
