"""Ending sessions of others: what an operator does when a person's device, or the whole deployment, is in wrong hands.

It is noted in each person's own log, with the operator as who did it.
"""

from __future__ import annotations

from lib.http.errors import NotFound
from lib.identity import account_store, sessions
from lib.services import Services

ACTOR = "operator"


async def end_of_person(services: Services, email: str) -> str:
    """End at once all that the person with this address has signed in with; return its id. Raises NotFound."""
    user = await account_store.find(services.database, email)
    if user is None:
        raise NotFound("There is no account with this address.")
    await sessions.end_all(services, [user.id], ACTOR)
    return user.id


async def end_of_everyone(services: Services, after: str, most: int) -> list[str]:
    """End the same of the next people, in the order of their ids. Return these, and one more where there is one.

    Doing it again does no harm. Who signs in behind that is signed in: all that was begun before has ended.
    """
    ids = await account_store.ids(services.database, after, most + 1)
    await sessions.end_all(services, ids[:most], ACTOR)
    return ids
