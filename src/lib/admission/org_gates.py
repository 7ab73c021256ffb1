"""The gates, as those manage them who are no call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from lib.admission.counters import Counted, Counter, Place, Remembered
from lib.admission.decision import Ask, Refusal
from lib.events.work import PolicyGates


class OrgGates(PolicyGates, Protocol):
    """The management side of the gates. All raise `Unavailable`."""

    async def flush(self, org_id: str) -> None:
        """Have the store brought up to date with what the gate has settled."""
        ...

    async def explain(self, org_id: str, ask: Ask) -> Refusal | None:
        """Return why a call would be refused now, or None. Nothing is counted."""
        ...

    async def accounts(self, org_id: str, budget_id: str, after: str, most: int) -> Counted | None:
        """Return what a budget has counted, for the subjects behind `after`; None where the gate knows no such one."""
        ...

    async def places(self, org_id: str, call_ids: Sequence[str]) -> Mapping[str, Sequence[Place]]:
        """Return the budgets on which calls count, by the call's id, as long as the gate remembers them: a day."""
        ...

    async def remembered(self, org_id: str, after: str, most: int) -> Sequence[Remembered]:
        """Return calls that have ended and cost something, behind the id `after`; the gate remembers them for a day."""
        ...

    async def refused(self, org_id: str) -> int:
        """Return how many records the store has refused for good."""
        ...

    async def counters(self, org_id: str) -> Mapping[str, Counter]:
        """Return how far each limit and budget is used up, by its id. One without an entry counts nothing so far."""
        ...
