"""A change: what is written, the event that tells of it, and the gates that must know, in this order or not at all.

    work = parts.work(principal.actor)
    event = Event("team.deleted", Org(org_id), f"team:{team_id}")
    if not await work.commit(event, TEAMS.delete(org_id, team_id, 1), only_if=TEAMS.found(org_id, team_id, 1)):
        raise PreconditionFailed()

Nothing is written without its event, and nothing is answered before the gates know of it. Where one can't be told,
`Unavailable` says so: a repetition that gets here tells it again, also where nothing is left to write. Where none does
(what was deleted is not found a second time), the gate finds the event in the organisation's log within a minute
(`lib.runtime.objects.gate_object`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from lib.events.event import Event, Policy, policy_of
from lib.events.event_store import Noted, noted
from lib.http.context import Context
from lib.kernel.errors import Unavailable
from lib.store.database import Database, Statement
from lib.store.tenant import Joining, Org


class PolicyGates(Protocol):
    """The gates, as a change tells them of itself. All raise `Unavailable`."""

    async def accounts_changed(self, org_id: str) -> None:
        """Tell the gate that who may call, or with which models, has changed in the store: a key that ended or has
        other bounds, a member, a role, a team, a suspension, a model. Not of a new key: nobody has an old copy of it.
        """
        ...

    async def rules_changed(self, org_id: str) -> None:
        """Tell the gate that limits, budgets or adjustments have changed in the store. Accounts stay as they are."""
        ...

    async def rule_changed(self, org_id: str, change: str) -> None:
        """Tell the gate of one rule that has come, changed or gone: see `lib.admission.rules.changed`."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """Changes of one caller in one request. `orgs_of` returns where a person is a member, `key` seals events; `written`
    are those that the request has written so far and that are not linked yet.
    """

    database: Database
    gates: PolicyGates
    orgs_of: Callable[[Database, str], Awaitable[Sequence[str]]]
    now: datetime
    actor: str  # `key:<id>`, `user:<id>`, `operator`, `system` or `nobody`
    context: Context
    key: bytes
    written: list[Noted]

    async def commit(
        self,
        event: Event,
        *statements: Statement,
        only_if: Statement | None = None,
        if_made: Statement | None = None,
        joins: str | None = None,
    ) -> bool:
        """Write a change and tell of it: `write` and `tell`."""
        done = await self.write(event, *statements, only_if=only_if, if_made=if_made, joins=joins)
        if done or event.rule is None:
            await self.tell(event)
        return done

    async def write(
        self,
        event: Event,
        *statements: Statement,
        only_if: Statement | None = None,
        if_made: Statement | None = None,
        joins: str | None = None,
    ) -> bool:
        """Run a change and its event in one group; tell whether there was something to do. Raises the store's errors.

        Where there may be nothing, `only_if` finds a row exactly when the statements are about to do something, or
        `if_made` when they have. The event is not written else; the statements see to themselves. Both are SELECTs with
        places without numbers. `joins` is the person who becomes a member, where it is asked how many organisations it
        is in. There are two statements at least, so PostgreSQL runs the group as if no other ran meanwhile.
        """
        told = noted(self.key, event, self.actor, self.context, self.now, only_if or if_made)
        scope = Joining(event.owner.id, joins) if joins else event.owner
        if only_if is not None:
            done = (await self.database.batch(scope, [told, *statements]))[0] > 0
        else:  # behind what may make the owner
            done = (await self.database.batch(scope, [*statements, told]))[-1] > 0
        if done:
            self.written.append(told)
        return done

    async def tell(self, *events: Event) -> None:
        """Tell each gate once what the events mean for it. Raises Unavailable as `tell_gates` does."""
        owed: dict[str, Policy] = {}
        for event in events:
            policy = policy_of(event.name)
            if event.rule is not None:
                await self.gates.rule_changed(event.owner.id, event.rule)
            elif policy:
                owed |= {org_id: owed.get(org_id, policy) | policy for org_id in await self._whose(event)}
        await tell_gates(self.gates, owed)
        told = {(event.owner, event.name) for event in events}
        self.written[:] = [
            replace(each, told=True) if (each.owner, each.action) in told else each for each in self.written
        ]

    async def _whose(self, event: Event) -> Sequence[str]:
        """Return the organisations of which an event is: a person's is of all where it is a member."""
        owner = event.owner
        return [owner.id] if isinstance(owner, Org) else await self.orgs_of(self.database, owner.id)


async def tell_gates(gates: PolicyGates, owed: Mapping[str, Policy]) -> None:
    """Tell each organisation's gate what is old. Raises Unavailable where one is away, when the others know."""
    away: Unavailable | None = None
    for org_id, policy in sorted(owed.items()):
        try:
            if Policy.ACCOUNTS in policy:
                await gates.accounts_changed(org_id)
            if Policy.RULES in policy:
                await gates.rules_changed(org_id)
        except Unavailable as failure:
            away = failure
    if away is not None:
        raise away
