"""Shapes that several routes answer with."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints

from lib.admission.policy_service import WantedScope
from lib.text import PRINTABLE

Item = TypeVar("Item")
_Name = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=PRINTABLE)]
AFTER_ALL = "~"  # sorts behind every id


def _utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is outside the years 1 to 9999") from None


Time = Annotated[AwareDatetime, AfterValidator(_utc)]  # a moment that a client names

# Said of each list that reads with `Read.RECENT`.
RECENT = (
    "May be answered by a replica that lags behind. Send the `x-headgate-bookmark` that a write answered, and"
    " that write is in the list."
)
# Said of limits and budgets.
NEW_RULE = "It holds from the answer on. An organisation has at most 200 of them."
RULE_TAG = "The ETag is of the rule. What is used of it changes without a new one."


class PassedThrough(BaseModel):
    """The provider's own answer, as it came."""

    model_config = ConfigDict(extra="allow")


class Meta(BaseModel):
    """What is told beside one thing: nothing yet."""


class PageMeta(BaseModel):
    """What is told beside a list. `next_cursor` is null on the last page."""

    next_cursor: str | None


class One(BaseModel, Generic[Item]):
    """The envelope of one thing."""

    data: Item
    meta: Meta


class Page(BaseModel, Generic[Item]):
    """The envelope of a list. Ask again with `cursor` set to `meta.next_cursor` until that is null."""

    data: list[Item]
    meta: PageMeta


class Level(StrEnum):
    """Where on a call's way a rule counts."""

    ORG = "org"
    TEAM = "team"
    USER = "user"
    KEY = "key"
    MODEL = "model"
    END_USER = "end_user"


class NewRuleScope(BaseModel):
    """Whom a rule is to be about: one, or with the id `*` each by itself. The organisation's own id may be left out.

    `model` narrows it to calls of one model, as clients name it. An `end_user` is what a request's `user` says.
    There are no rules for teams and users yet.
    """

    model_config = ConfigDict(extra="forbid")
    type: Level
    id: _Name | None = None
    model: _Name | None = None

    def wanted(self) -> WantedScope:
        """Return it as the rules of creation take it."""
        return WantedScope(self.type, self.id, self.model)


class RuleScope(BaseModel):
    """Whom a rule is about: one, or each (`*`) by itself; with `model`, only in calls of that model."""

    type: Level
    id: str
    model: str | None
