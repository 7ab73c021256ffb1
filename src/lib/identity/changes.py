"""A change of an organisation, and the event that tells of it: in one group, both or neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lib.identity.context import Context
from lib.kernel.event import Detail
from lib.store.database import Statement
from lib.store.scope import Joining, Org, Scope

if TYPE_CHECKING:
    from lib.services import Services


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done to what. `only_if` finds a row exactly when `statements` will do something."""

    action: str
    target: str
    only_if: Statement
    statements: list[Statement]
    details: Mapping[str, Detail] = field(default_factory=dict)
    joins: str | None = None  # the person who becomes a member, where it is asked how many organisations it is in


async def make(services: Services, org_id: str, actor: str, change: Change, context: Context) -> bool:
    """Run a change; tell whether its first statement did anything. Raises the store's errors.

    The question stands in the group too. So there are two statements at least, and PostgreSQL runs the group as if no
    other ran meanwhile: what is asked still holds when it is acted upon.
    """
    event = services.audit.org_event(
        org_id,
        change.action,
        actor,
        context,
        services.clock.now(),
        target=change.target,
        details=change.details,
        only_if=change.only_if,
    )
    group = [change.only_if, *event, *change.statements]
    scope: Scope = Org(org_id) if change.joins is None else Joining(org_id, change.joins)
    return (await services.database.batch(scope, group))[-len(change.statements)] > 0
