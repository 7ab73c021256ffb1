"""How much mail goes to one address, for one account or organisation, and from one network: counted before it is sent.

Each kind of mail is counted by itself: who is kept from asking for one kind has just had one of it, and a stranger who
causes others does not keep anybody from a new password.
"""

from __future__ import annotations

from lib.defence.attempts import Purpose
from lib.defence.parts import Guarded
from lib.http.context import Context


async def count(parts: Guarded, purpose: Purpose, whose: str, context: Context) -> None:
    """Count a mail for `whose` (an address, or an id) and for the network. Raises TooManyRequests; Unavailable."""
    await parts.guard.check(purpose, whose, context.address)
    await parts.guard.failed(purpose, whose, context.address)


async def count_invitation(parts: Guarded, org_id: str, email: str, context: Context) -> None:
    """Count an invitation for its address, its organisation and its network. Raises the same."""
    await count(parts, Purpose.INVITING, org_id, Context(context.request_id))
    await count(parts, Purpose.INVITATION, email, context)


async def count_new_address(parts: Guarded, user_id: str, email: str, context: Context) -> None:
    """Count the mails of a change of address: for the account, which is told each time, and for the new address."""
    await count(parts, Purpose.CHANGE_EMAIL, user_id, Context(context.request_id))
    await count(parts, Purpose.NEW_ADDRESS, email, context)
