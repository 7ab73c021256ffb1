"""Changing a password, or setting a new one where it is forgotten. Both end whatever was begun with the old one:

sessions and tokens, and with the account's epoch all that is pending (`account_store`).
"""

from __future__ import annotations

from lib.http.errors import Conflict
from lib.http.response import Finish
from lib.identity import account_store, mail_counts, mail_token_store, mail_tokens, reauthentication
from lib.identity.context import Context
from lib.identity.later import later
from lib.identity.mail_tokens import HOURS, MailPurpose
from lib.identity.ports import Purpose
from lib.identity.reauthentication import Proof
from lib.kernel.event import Event
from lib.mail import templates
from lib.services import Services
from lib.store.schema import UserRow
from lib.store.scope import Person


async def change_password(services: Services, user: UserRow, proof: Proof, new: str, context: Context) -> Finish:
    """Replace a password, and end all sessions and refresh tokens; return what tells the person by mail.

    Raises what `reauthentication.with_password` does, and UnprocessableEntity for a weak new one.
    """
    services.passwords.check(new, user.email, user.name)
    await reauthentication.with_password(services, user, proof, context)
    work, event = services.work(f"user:{user.id}"), Event("user.password_changed", Person(user.id))
    group = [
        account_store.set_password(user.id, user.password_hash, services.passwords.hash(new), work.now),
        *account_store.end_sessions(user.id, work.now),
    ]
    if not await work.commit(event, *group, only_if=account_store.has_password(user.id, user.password_hash)):
        raise Conflict("The password has changed meanwhile.")
    return _told(services, user.email)


async def request_reset(services: Services, email: str, context: Context) -> Finish:
    """Return what sends a link, when the answer has begun: it is the same for an address that nobody has."""
    await mail_counts.count(services, Purpose.RESET, email, context)

    async def work() -> None:
        user = await account_store.find(services.database, email)
        if user is None:
            return
        token, sending = mail_tokens.issue(services, user.id, MailPurpose.RESET_PASSWORD, email, user.epoch)
        await services.work(f"user:{user.id}").commit(Event("user.reset_requested", Person(user.id)), *sending)
        url, hours = services.config.account.public_url, HOURS[MailPurpose.RESET_PASSWORD]
        await services.mailer.send(templates.reset_password(email, url, token, hours))

    return later(services, work)


async def reset_password(services: Services, token: str, new: str) -> Finish:
    """Set a password with what was sent by mail. That proves the address too. A second factor stays.

    Raises UnprocessableEntity for a token that can't be used, or a weak password, which leaves the token good.
    """
    row = await mail_tokens.present(services, token, MailPurpose.RESET_PASSWORD)
    services.passwords.check(new, row.email)
    work, event = services.work(f"user:{row.user_id}"), Event("user.password_reset", Person(row.user_id))
    group = [
        account_store.reset_password(row.user_id, row.id, services.passwords.hash(new), work.now),
        mail_token_store.use(row.user_id, row.id, work.now),
        *account_store.end_sessions(row.user_id, work.now),
    ]
    if not await work.commit(event, *group, only_if=mail_token_store.is_good(row.user_id, row.id)):
        raise mail_tokens.unusable()
    return _told(services, row.email)


def _told(services: Services, email: str) -> Finish:
    async def work() -> None:
        await services.mailer.send(templates.password_changed(email))

    return later(services, work)
