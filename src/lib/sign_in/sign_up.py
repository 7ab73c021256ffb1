"""Making an account. Whether the address is known already is told to nobody but whoever reads its mail."""

from __future__ import annotations

from dataclasses import dataclass, field

from lib.config import AccountConfig, MailKind, SignUp
from lib.defence import mail_counts
from lib.defence.attempts import Purpose
from lib.events.event import Event
from lib.http.context import Context
from lib.http.response import Finish
from lib.kernel.errors import Forbidden, UnprocessableEntity
from lib.kernel.ids import new_id
from lib.mail import templates
from lib.orgs import homes
from lib.sign_in import mail_token_store, mail_tokens
from lib.sign_in.later import later
from lib.sign_in.mail_tokens import HOURS, MailPurpose
from lib.sign_in.parts import SigningIn
from lib.store.database import UniqueViolation
from lib.store.schema import InvitationRow, UserRow
from lib.store.tenant import Person
from lib.users import account_store, addresses


@dataclass(frozen=True, slots=True)
class Form:
    """What somebody signs up with. `email` is normal (addresses.py); `invitation` is an invitation's secret."""

    email: str
    password: str = field(repr=False)
    name: str
    invitation: str | None = field(default=None, repr=False)


async def sign_up(parts: SigningIn, form: Form, context: Context) -> Finish:
    """Check what is asked, and return what makes the account when the answer has begun.

    All that takes longer for one address than for another is in there. Until then, a known address costs the same as a
    new one: one hash and one look. Raises Forbidden where the deployment does not let this address in, and
    UnprocessableEntity for a weak password or an invitation that is none.
    """
    await mail_counts.count(parts, Purpose.SIGN_UP, form.email, context)
    invitation = await _invitation(parts, form)
    if invitation is None:
        let_in(parts.config.account, form.email)
    parts.passwords.check(form.password, form.email, form.name)
    password_hash = parts.passwords.hash(form.password)
    known = await account_store.find(parts.database, form.email)

    async def work() -> None:
        if known is None and await _make(parts, form, password_hash, invitation):
            return
        user = known or await account_store.find(parts.database, form.email)
        if user is not None:
            await _tell(parts, user)

    return later(parts, work)


async def _invitation(parts: SigningIn, form: Form) -> InvitationRow | None:
    if form.invitation is None:
        return None
    invitation = await parts.invitations.find(parts, form.invitation, form.email)
    if invitation is None:
        message = "The invitation is not for this address, or not open any more."
        raise UnprocessableEntity(message, code="invalid_invitation", param="invitation")
    return invitation


def let_in(config: AccountConfig, email: str) -> None:
    """Raise Forbidden where nobody may make an account with this address without an invitation."""
    if config.sign_up is SignUp.INVITATION:
        raise Forbidden("Accounts are made by invitation here.", code="invitation_required")
    check_domain(config, email)


def check_domain(config: AccountConfig, email: str) -> None:
    """Raise Forbidden where accounts have addresses of certain domains, and this is none."""
    if config.sign_up is SignUp.DOMAIN and addresses.domain(email) not in config.sign_up_domains:
        raise Forbidden("Accounts are made with addresses of certain domains here.", code="domain_not_allowed")


async def _make(parts: SigningIn, form: Form, password_hash: str, invitation: InvitationRow | None) -> bool:
    """Make the account; tell whether the address was free.

    An invitation proves the address that it was sent to. One that was handed over proves nothing: the account is
    confirmed as any other, and the invitation accepted then. Where no mail is sent, its word must do (`vouched_at`);
    no other way in is ever connected by such an address (`lib.sign_in.logins`).
    """
    now = parts.clock.now()
    user_id = new_id(now)
    work = parts.work(f"user:{user_id}")
    mailed = invitation is not None and invitation.mailed
    vouched = invitation is not None and not mailed and parts.config.mail.kind is MailKind.NONE
    if not (mailed or vouched):
        invitation = None
    proofs = (now if mailed else None, now, now if vouched else None)
    group = [account_store.insert(user_id, form.email, form.name, password_hash, *proofs)]
    token, sending = mail_tokens.issue(parts, user_id, MailPurpose.VERIFY_EMAIL, form.email, 0)
    try:
        await work.commit(Event("user.signed_up", Person(user_id)), *group, *([] if invitation else sending))
    except UniqueViolation:
        return False
    user = await account_store.get(parts.database, user_id)
    if user is not None and invitation is not None:
        await parts.invitations.accept(parts, user, invitation)
    elif user is not None:
        await homes.ensure(parts, user)
        url, hours = parts.config.account.public_url, HOURS[MailPurpose.VERIFY_EMAIL]
        await parts.mailer.send(templates.verify_address(form.email, url, token, hours))
    return True


async def _tell(parts: SigningIn, user: UserRow) -> None:
    """Tell the owner of a known address. One that was never confirmed may have been a stranger's idea.

    Then the password of that time must not become good by the owner's confirming the address: it is chosen anew.
    """
    if user.email_verified_at is not None:
        await parts.mailer.send(templates.known_address(user.email))
        return
    token, sending = mail_tokens.issue(parts, user.id, MailPurpose.RESET_PASSWORD, user.email, user.epoch)
    group = [mail_token_store.drop_all(user.id), *sending]
    await parts.work(f"user:{user.id}").commit(Event("user.signed_up_again", Person(user.id)), *group)
    url, hours = parts.config.account.public_url, HOURS[MailPurpose.RESET_PASSWORD]
    await parts.mailer.send(templates.finish_sign_up(user.email, url, token, hours))
