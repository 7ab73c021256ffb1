"""The consumer of events: it tells the gates what nobody has told them, and links the rows to their chains.

It runs for each log to which a request has written, when that has been answered, and every hour for those that a
request has left behind (it died between its change and this). So each event is seen at least once, in its log's order.
Of an event of its own a request knows whether the gates were told. Another's that is younger than LIVELY is told by
its own request: each telling costs all isolates their copies, so changes side by side must not tell each other's. Where
just that one died, an organisation's gate finds the event itself (its look, once a minute). An older one is told once
more. A log whose gate is away stays as it is until the next time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Protocol

from lib.audit import audit_store, link_store
from lib.events.event import OK, Event
from lib.events.event_store import Log
from lib.events.parts import Parts
from lib.kernel import failures
from lib.kernel.errors import Unavailable
from lib.kernel.failures import Failure
from lib.kernel.ids import first_id
from lib.store.database import StoreError, UniqueViolation
from lib.store.tenant import Org, Person

LINK_SECONDS = 10
# So long a request that has written an event may take to tell the gates of it: see `lib.runtime.object_calls`.
LIVELY = timedelta(seconds=15)
# What the hourly work looks back at: it may have failed for as long.
LOOK_BACK = timedelta(days=2)
MOST_LEFT = 1_000  # rows in one run, of either log


class Linking(Parts, Protocol):
    """What is needed to link."""

    @property
    def log_key(self) -> bytes: ...


async def link_written(parts: Linking) -> None:
    """Link what a request has written. Never raises a failure of the store or of a gate: the next hour does it then."""
    own, lively = {each.id: each.told for each in parts.written}, first_id(parts.clock.now() - LIVELY)
    owners = list(dict.fromkeys(each.owner for each in parts.written))
    parts.written.clear()
    try:
        async with asyncio.timeout(LINK_SECONDS):
            for owner in owners:
                await _link(parts, owner, lambda event_id: own.get(event_id, event_id >= lively), own)
    except (StoreError, Unavailable, TimeoutError) as failure:
        failures.note(Failure.EVENTS_UNLINKED, str(failure) or f"not done within {LINK_SECONDS} s")


async def link(parts: Linking, owner: Org | Person) -> int:
    """Tell and link all that one log has that is not linked; return how many rows.

    Raises Unavailable where a gate is away, and the store's errors.
    """
    return await _link(parts, owner, lambda _id: False, None)


async def _link(
    parts: Linking, owner: Org | Person, is_told: Callable[[str], bool], own: Collection[str] | None
) -> int:
    """`is_told` tells of an event whether somebody else tells the gates, or has. With the ids of its `own` events a
    request is done when these are linked: where many write to one log, none of them links what comes without end.
    """
    done = 0
    while True:
        head = await link_store.head(parts.database, owner)
        rows = await audit_store.behind(parts.database, owner, head.seq)
        last = len(rows) < audit_store.MOST_FOLLOWED
        if not rows or (last and own is not None and not any(row.id in own for row in rows)):
            return done
        news = [Event(row.action, owner) for row in rows if row.result == OK and not is_told(row.id)]
        work = parts.work("system")
        await work.tell(*news)
        try:
            await link_store.write(parts.database, owner, link_store.linked(parts.log_key, owner, head, rows), work.now)
        except UniqueViolation:
            continue  # somebody else has: it is one row further at least
        done += len(rows)


async def link_left(parts: Linking) -> int:
    """Link what requests have left behind; return how many rows. A log that fails waits for the next hour."""
    since, done = first_id(parts.clock.now() - LOOK_BACK), 0
    for log in Log:
        for owner in await link_store.left(parts.database, log, since, MOST_LEFT):
            try:
                done += await link(parts, Org(owner) if log is Log.ORG else Person(owner))
            except (UniqueViolation, Unavailable) as failure:
                failures.note(Failure.EVENTS_UNLINKED, str(failure))
    return done
