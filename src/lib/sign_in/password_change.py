"""Changing a password, or setting a new one where it is forgotten. Both end whatever was begun with the old one:

sessions and tokens, and with the account's epoch all that is pending (`account_store`).
"""

from __future__ import annotations

from lib.defence import mail_counts
from lib.defence.attempts import Purpose
from lib.events.event import Event
from lib.http.context import Context
from lib.http.response import Finish
from lib.kernel.errors import Conflict
from lib.mail import templates
from lib.sign_in import mail_token_store, mail_tokens, reauthentication
from lib.sign_in.later import later
from lib.sign_in.mail_tokens import HOURS, MailPurpose
from lib.sign_in.parts import SigningIn
from lib.sign_in.reauthentication import Proof
from lib.store.schema import UserRow
from lib.store.tenant import Person
from lib.users import account_store


async def change_password(parts: SigningIn, user: UserRow, proof: Proof, new: str, context: Context) -> Finish:
    """Replace a password, and end all sessions and refresh tokens; return what tells the person by mail.

    Raises what `reauthentication.with_password` does, and UnprocessableEntity for a weak new one.
    """
    parts.passwords.check(new, user.email, user.name)
    await reauthentication.with_password(parts, user, proof, context)
    work, event = parts.work(f"user:{user.id}"), Event("user.password_changed", Person(user.id))
    group = [
        account_store.set_password(user.id, user.password_hash, parts.passwords.hash(new), work.now),
        *account_store.end_sessions(user.id, work.now),
    ]
    if not await work.commit(event, *group, only_if=account_store.has_password(user.id, user.password_hash)):
        raise Conflict("The password has changed meanwhile.")
    return _told(parts, user.email)


async def request_reset(parts: SigningIn, email: str, context: Context) -> Finish:
    """Return what sends a link, when the answer has begun: it is the same for an address that nobody has."""
    await mail_counts.count(parts, Purpose.RESET, email, context)

    async def work() -> None:
        user = await account_store.find(parts.database, email)
        if user is None:
            return
        token, sending = mail_tokens.issue(parts, user.id, MailPurpose.RESET_PASSWORD, email, user.epoch)
        await parts.work(f"user:{user.id}").commit(Event("user.reset_requested", Person(user.id)), *sending)
        url, hours = parts.config.account.public_url, HOURS[MailPurpose.RESET_PASSWORD]
        await parts.mailer.send(templates.reset_password(email, url, token, hours))

    return later(parts, work)


async def reset_password(parts: SigningIn, token: str, new: str) -> Finish:
    """Set a password with what was sent by mail. That proves the address too. A second factor stays.

    Raises UnprocessableEntity for a token that can't be used, or a weak password, which leaves the token good.
    """
    row = await mail_tokens.present(parts, token, MailPurpose.RESET_PASSWORD)
    parts.passwords.check(new, row.email)
    work, event = parts.work(f"user:{row.user_id}"), Event("user.password_reset", Person(row.user_id))
    group = [
        account_store.reset_password(row.user_id, row.id, parts.passwords.hash(new), work.now),
        mail_token_store.use(row.user_id, row.id, work.now),
        *account_store.end_sessions(row.user_id, work.now),
    ]
    if not await work.commit(event, *group, only_if=mail_token_store.is_good(row.user_id, row.id)):
        raise mail_tokens.unusable()
    return _told(parts, row.email)


def _told(parts: SigningIn, email: str) -> Finish:
    async def work() -> None:
        await parts.mailer.send(templates.password_changed(email))

    return later(parts, work)
