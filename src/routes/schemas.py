"""Shapes that several routes answer with."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

Item = TypeVar("Item")


# Said of each list that reads with `Read.RECENT`.
RECENT = (
    "May be answered by a replica that lags behind. Send the `x-headgate-bookmark` that a write answered, and"
    " that write is in the list."
)


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
