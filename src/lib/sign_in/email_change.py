"""Confirming an address, and changing it: the new one counts when somebody has read the mail to it."""

from __future__ import annotations

from collections.abc import Sequence

from lib.defence import mail_counts
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
from lib.sign_in.sign_up import check_domain
from lib.store.database import Statement, UniqueViolation
from lib.store.schema import MailTokenRow, UserRow
from lib.store.tenant import Person
from lib.users import account_store


async def request_change(parts: SigningIn, user: UserRow, email: str, proof: Proof, context: Context) -> Finish:
    """Return what sends a link to the new address. Whether somebody has it already is told to its owner alone.

    The old address is told first, with a link that stops it: in any case, else it would tell who has the new one. If
    that can't be sent, no other is. Raises what `reauthentication.with_password` does, and Forbidden for an address of
    a domain that is not let in.
    """
    check_domain(parts.config.account, email)
    await reauthentication.with_password(parts, user, proof, context)
    await mail_counts.count_new_address(parts, user.id, email, context)

    async def work() -> None:
        url, hours = parts.config.account.public_url, HOURS[MailPurpose.CHANGE_EMAIL]
        stop, group = mail_tokens.issue(parts, user.id, MailPurpose.STOP_EMAIL_CHANGE, user.email, user.epoch)
        token, sending = mail_tokens.issue(parts, user.id, MailPurpose.CHANGE_EMAIL, email, user.epoch)
        taken = await account_store.find(parts.database, email) is not None
        group += [] if taken else sending
        event = Event("user.email_change_requested", Person(user.id))
        await parts.work(f"user:{user.id}").commit(event, *group)
        await parts.mailer.send(templates.address_change_asked(user.email, url, stop, hours))
        if taken:
            await parts.mailer.send(templates.known_address(email))
        else:
            await parts.mailer.send(templates.confirm_new_address(email, url, token, hours))

    return later(parts, work)


async def stop(parts: SigningIn, token: str) -> None:
    """Stop a change of address with what the old one was sent. All that is pending ends with it: whoever has asked for
    the change knows the password. Raises UnprocessableEntity for a token that can't be used.
    """
    row, now = await mail_tokens.present(parts, token, MailPurpose.STOP_EMAIL_CHANGE), parts.clock.now()
    group = [account_store.end_pending(row.user_id, row.id, now), mail_token_store.use(row.user_id, row.id, now)]
    await _use(parts, row, group, "user.email_change_stopped")


async def confirm(parts: SigningIn, token: str) -> Finish:
    """Take an address for confirmed: the account's own, or the new one, which becomes its own.

    Raises UnprocessableEntity for a token that can't be used, Conflict when the new address is somebody's by now.
    """
    row = await mail_tokens.present(parts, token, MailPurpose.VERIFY_EMAIL, MailPurpose.CHANGE_EMAIL)
    if row.purpose == MailPurpose.VERIFY_EMAIL:
        await _verify(parts, row)
        return later(parts, _nothing)
    before = await account_store.get(parts.database, row.user_id)
    await _move(parts, row)

    async def work() -> None:
        if before is not None:
            await parts.mailer.send(templates.address_changed(before.email))

    return later(parts, work)


async def _verify(parts: SigningIn, row: MailTokenRow) -> None:
    now = parts.clock.now()
    group = [
        account_store.verify_email(row.user_id, row.id, now),
        mail_token_store.use(row.user_id, row.id, now),
    ]
    await _use(parts, row, group, "user.email_verified")


async def _move(parts: SigningIn, row: MailTokenRow) -> None:
    now = parts.clock.now()
    group = [
        account_store.change_email(row.user_id, row.id, row.email, now),
        mail_token_store.use(row.user_id, row.id, now),
    ]
    try:
        await _use(parts, row, group, "user.email_changed")
    except UniqueViolation:
        raise Conflict("This address belongs to another account.", code="email_taken") from None


async def _use(parts: SigningIn, row: MailTokenRow, group: Sequence[Statement], name: str) -> None:
    """Do what a token is for. Raises UnprocessableEntity where somebody was first, or its epoch is over."""
    good = mail_token_store.is_good(row.user_id, row.id)
    if not await parts.work(f"user:{row.user_id}").commit(Event(name, Person(row.user_id)), *group, only_if=good):
        raise mail_tokens.unusable()


async def _nothing() -> None:
    """There is nobody to tell."""
