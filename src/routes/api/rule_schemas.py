"""What limits and budgets have in common: whom a rule is about, and how one is deleted."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints

from lib.collection import Collection
from lib.kernel.errors import PreconditionFailed
from lib.kernel.text import PRINTABLE
from lib.rules.rule_service import WantedScope
from lib.store.schema import BudgetRow, LimitRow
from lib.web.operation import Call

Rule = TypeVar("Rule", LimitRow, BudgetRow)
NEW_RULE = "It holds from the answer on. An organisation has at most 200 of them."
RULE_TAG = "The ETag is of the rule. What is used of it changes without a new one."
_Name = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=PRINTABLE)]


class Level(StrEnum):
    """Where on a call's way a rule counts."""

    ORG = "org"
    TEAM = "team"
    USER = "user"
    KEY = "key"
    MODEL = "model"
    END_USER = "end_user"


class Covers(StrEnum):
    """What a team's rule counts: the keys that belong to the team, or also all that its members do."""

    KEYS = "keys"
    MEMBERS = "members"


class NewRuleScope(BaseModel):
    """Whom a rule is to be about: one, or with the id `*` each by itself. The organisation's own id may be left out.

    `model` narrows it to calls of one model, as clients name it. An `end_user` is what a request's `user` says.
    A `team` or a `user` is whose key the call is made with; what a rule for a team covers, its `covers` says.
    """

    model_config = ConfigDict(extra="forbid")
    type: Level
    id: _Name | None = None
    model: _Name | None = None

    def wanted(self, covers: Covers | None) -> WantedScope:
        """Return it as the rules of creation take it."""
        return WantedScope(self.type, self.id, self.model, covers)


class RuleScope(BaseModel):
    """Whom a rule is about: one, or each (`*`) by itself; with `model`, only in calls of that model."""

    type: Level
    id: str
    model: str | None


def scope_of(row: LimitRow | BudgetRow) -> RuleScope:
    """Return whom a rule is about."""
    return RuleScope(type=Level(row.scope_type), id=row.scope_id, model=row.scope_model)


def covers_of(row: LimitRow | BudgetRow) -> Covers | None:
    """Return what a rule covers, where it is a team's."""
    return Covers(row.covers) if row.scope_type == Level.TEAM else None


async def wanted(call: Call[Any, Any], kind: Collection[Rule]) -> Rule:
    """Return the rule that is to be changed. Raises an error where its client has not seen this version."""
    row = await kind.get(call.parts.database, call.org_id, call.path["id"])
    call.match(row.version)
    return row


async def delete(call: Call[Any, Any], kind: Collection[Rule]) -> None:
    """Delete a rule."""
    row = await wanted(call, kind)
    if not await kind.delete(call.work, row, row.version if call.request.headers.get("if-match") else None):
        raise PreconditionFailed()
