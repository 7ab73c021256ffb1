"""A database whose writes each carry an event: for changes whose statements are made elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lib.audit.audited import DatabaseAround
from lib.kernel.event import Detail, Event, noted
from lib.store.database import Database, Statement, Value
from lib.store.scope import Org, Scope

if TYPE_CHECKING:
    from lib.identity.models import Principal
    from lib.services import Services


class NotedDatabase(DatabaseAround):
    """Puts an event into each group that writes: before it, or with `after` behind it, where its condition is met."""

    def __init__(self, database: Database, event: Sequence[Statement], *, after: bool) -> None:
        super().__init__(database)
        self._event = list(event)
        self._after = after

    async def execute(self, scope: Scope, sql: str, *values: Value) -> int:
        [changes] = await self.batch(scope, [Statement(sql, values)])
        return changes

    async def batch(self, scope: Scope, statements: Sequence[Statement]) -> list[int]:
        """As the port says; the event is not among the results."""
        number = len(self._event)
        if self._after:
            return (await self._database.batch(scope, [*statements, *self._event]))[: len(statements)]
        return (await self._database.batch(scope, [*self._event, *statements]))[number:]


def noting(
    services: Services,
    principal: Principal,
    action: str,
    target: str,
    *,
    before: Statement | None = None,
    after: Statement | None = None,
    details: Mapping[str, Detail] | None = None,
) -> Database:
    """Return the request's database for one change: what is written through it is noted in the organisation's log.

    `before` finds a row exactly when the change is about to be made, `after` when it has been. One of them is needed
    where the change may be none.
    """
    now = services.clock.now()
    event = Event(action, Org(principal.org_id), target, details or {})
    told = noted(event, principal.actor, services.context, now, before or after)
    return NotedDatabase(services.database, [told], after=after is not None)
