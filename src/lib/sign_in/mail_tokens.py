"""What we send by mail to be presented once: secrets that prove that somebody reads an address's mail."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from functools import partial

from lib.kernel.errors import UnprocessableEntity
from lib.kernel.ids import new_id
from lib.secrets import rotation
from lib.secrets.api_keys import key_hash
from lib.secrets.opaque import is_secret, new_secret
from lib.sign_in import mail_token_store
from lib.sign_in.mail_token_store import NewMailToken
from lib.sign_in.parts import SigningIn
from lib.store.database import Statement
from lib.store.schema import MailTokenRow

PREFIX = "hgm_"


class MailPurpose(StrEnum):
    """What a token is good for."""

    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - the name of a purpose
    CHANGE_EMAIL = "change_email"
    STOP_EMAIL_CHANGE = "stop_email_change"


HOURS = {
    MailPurpose.VERIFY_EMAIL: 24,
    MailPurpose.RESET_PASSWORD: 1,
    MailPurpose.CHANGE_EMAIL: 24,
    MailPurpose.STOP_EMAIL_CHANGE: 24,
}


def issue(parts: SigningIn, user_id: str, purpose: MailPurpose, email: str, epoch: int) -> tuple[str, list[Statement]]:
    """Return a new token, and the statements that make it the person's only one for this purpose.

    It holds in this epoch: that of the account as it was when somebody asked for the mail.
    """
    now = parts.clock.now()
    token = new_secret(PREFIX)
    row = NewMailToken(
        id=new_id(now),
        user_id=user_id,
        purpose=purpose,
        email=email,
        secret_hash=key_hash(token, parts.pepper),
        expires_at=now + timedelta(hours=HOURS[purpose]),
        epoch=epoch,
    )
    return token, mail_token_store.replace(row, now)


async def present(parts: SigningIn, token: str, *purposes: MailPurpose) -> MailTokenRow:
    """Return the row of a token that may still be used. Raises UnprocessableEntity, the same for whatever is wrong.

    Whether two requests both use it, and whether its epoch is over, is decided by the statements that do.
    """
    find = partial(mail_token_store.find, parts.database)
    row = await rotation.found(parts, token, find) if _may_be(token) else None
    if row is None or row.purpose not in purposes or row.used_at or row.expires_at <= parts.clock.now():
        raise unusable()
    return row


def unusable() -> UnprocessableEntity:
    """Return the error for a token that can't be used, or not any more."""
    message = "The link is wrong, was used, or is too old. Ask for a new one."
    return UnprocessableEntity(message, code="invalid_token", param="token")


def _may_be(token: str) -> bool:
    return is_secret(PREFIX, token)
