"""Ending sessions of others: what an operator does when a person's device, or the whole deployment, is in wrong hands.

It is noted in each person's own log, with the operator as who did it.
"""

from __future__ import annotations

from lib.kernel.errors import NotFound
from lib.sessions import sessions
from lib.sign_in.parts import SigningIn
from lib.users import account_store

ACTOR = "operator"


async def end_of_person(parts: SigningIn, email: str) -> str:
    """End at once all that the person with this address has signed in with; return its id. Raises NotFound."""
    user = await account_store.find(parts.database, email)
    if user is None:
        raise NotFound("There is no account with this address.")
    await sessions.end_all(parts, [user.id], ACTOR)
    return user.id


async def end_of_everyone(parts: SigningIn, after: str, most: int) -> list[str]:
    """End the same of the next people, in the order of their ids. Return these, and one more where there is one.

    Doing it again does no harm. Who signs in behind that is signed in: all that was begun before has ended.
    """
    ids = await account_store.ids(parts.database, after, most + 1)
    await sessions.end_all(parts, ids[:most], ACTOR)
    return ids
