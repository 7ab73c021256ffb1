"""Lists that are read piece by piece: how much one read may look at, and where the next goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from lib.store.database import Database

Row = TypeVar("Row")
Place = TypeVar("Place")

# What a read looks at where no index knows a filter: it returns what is among these rows, be it nothing, and its end.
MOST_LOOKED_AT = 50_000
# What one export asks of the store: an invocation may ask 1,000 times, on a free account 50 times.
# https://developers.cloudflare.com/d1/platform/limits/
MOST_QUERIES = 40


@dataclass(frozen=True, slots=True)
class Found(Generic[Row, Place]):
    """Rows in their order, and the place behind which the next read begins; None where nothing is left."""

    rows: Sequence[Row]
    next: Place | None


def cut(rows: Sequence[Row], limit: int, place: Callable[[Row], Place], edge: Place | None) -> Found[Row, Place]:
    """Return `limit` of the rows, of which one more was asked for; `edge` is up to where they were looked for."""
    if len(rows) > limit:
        return Found(rows[:limit], place(rows[limit - 1]))
    return Found(rows, edge)


async def following(
    database: Database, first: Found[Row, Place], read: Callable[[Place], Awaitable[Found[Row, Place]]]
) -> AsyncIterator[Found[Row, Place]]:
    """Yield `first` and what follows, one at a time, until nothing is left or enough was asked of the store."""
    found = first
    yield found
    while found.next is not None and database.cost.queries < MOST_QUERIES:
        found = await read(found.next)
        yield found
