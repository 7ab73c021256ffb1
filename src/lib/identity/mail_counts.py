"""How much mail goes to one address, for one account or organisation, and from one network: counted before it is sent.

Each kind of mail is counted by itself: who is kept from asking for one kind has just had one of it, and a stranger who
causes others does not keep anybody from a new password.
"""

from __future__ import annotations

from lib.identity.context import Context
from lib.identity.ports import Purpose
from lib.services import Services


async def count(services: Services, purpose: Purpose, whose: str, context: Context) -> None:
    """Count a mail for `whose` (an address, or an id) and for the network. Raises TooManyRequests; Unavailable."""
    await services.guard.check(purpose, whose, context.address)
    await services.guard.failed(purpose, whose, context.address)


async def count_invitation(services: Services, org_id: str, email: str, context: Context) -> None:
    """Count an invitation for its address, its organisation and its network. Raises the same."""
    await count(services, Purpose.INVITING, org_id, Context(context.request_id))
    await count(services, Purpose.INVITATION, email, context)


async def count_new_address(services: Services, user_id: str, email: str, context: Context) -> None:
    """Count the mails of a change of address: for the account, which is told each time, and for the new address."""
    await count(services, Purpose.CHANGE_EMAIL, user_id, Context(context.request_id))
    await count(services, Purpose.NEW_ADDRESS, email, context)
