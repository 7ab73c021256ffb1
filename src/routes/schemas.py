"""Shapes that several routes answer with."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

Item = TypeVar("Item")


class PassedThrough(BaseModel):
    """The provider's own answer, as it came."""

    model_config = ConfigDict(extra="allow")


class Meta(BaseModel):
    """What is told beside the data."""

    next_cursor: str | None = None


class One(BaseModel, Generic[Item]):
    """The envelope of one thing."""

    data: Item
    meta: Meta


class Page(BaseModel, Generic[Item]):
    """The envelope of a list. Ask again with `cursor` set to `meta.next_cursor` until that is null."""

    data: list[Item]
    meta: Meta
