"""Where a key comes from: on whose rules its calls count, and with whom it ends. Pure: no I/O.

A **line** is a key and what has replaced it, whoever rotated it. It has the name of its first key. Rules follow the
line, so what a key may spend does not begin anew with a rotation, and both keys of an overlap count together.

A **holder** has a key, and each that was made by rotating it with itself: who has stolen one has those too. Where
somebody else rotates a key, its holder is another, who never saw what came before. What leaks ends with all of its
holder's keys.

A key is made with the makers of its maker before it. A person is no maker: its keys belong to it, and rules for people
count them.
"""

from __future__ import annotations

from typing import TypedDict

from lib.kernel.errors import UnprocessableEntity
from lib.store.schema import ApiKeyRow


class Lineage(TypedDict):
    """The columns of a key that say it. None: it is the first of its line, or of its holder's keys; no key has made it.
    Makers are ids with a space between them, the nearest first.
    """

    line_key_id: str | None
    maker_line_ids: str | None
    holder_key_id: str | None
    maker_holder_ids: str | None


MOST_MAKERS = 4
# By holders there may be more: whoever rotates another's key is behind its successor.
MOST_HOLDERS = 27


def of_made(maker: ApiKeyRow | None) -> Lineage:
    """Return the lineage of a key that was made or minted with `maker`. Raises UnprocessableEntity."""
    if maker is None:
        return _lineage(None, None, None, None)
    lines = _behind(line_of(maker), maker.maker_line_ids, MOST_MAKERS)
    return _lineage(None, lines, None, _behind(_holder_of(maker), maker.maker_holder_ids))


def of_successor(old: ApiKeyRow, maker: ApiKeyRow | None) -> Lineage:
    """Return the lineage of the key that replaces `old`, and was made with `maker`. Its rules are those of the old.

    Raises UnprocessableEntity.
    """
    if maker is not None and _holder_of(maker) == _holder_of(old):
        return _lineage(line_of(old), old.maker_line_ids, _holder_of(old), old.maker_holder_ids)
    holders = None if maker is None else _behind(_holder_of(maker), maker.maker_holder_ids)
    return _lineage(line_of(old), old.maker_line_ids, None, holders)


def line_of(row: ApiKeyRow) -> str:
    """Return on what a key's calls count: the first of the keys that replaced each other."""
    return row.line_key_id or row.id


def _holder_of(row: ApiKeyRow) -> str:
    """Return the first of the keys that whoever holds this one has had."""
    return row.holder_key_id or row.id


def _lineage(line: str | None, lines: str | None, holder: str | None, holders: str | None) -> Lineage:
    return Lineage(line_key_id=line, maker_line_ids=lines, holder_key_id=holder, maker_holder_ids=holders)


def _behind(own: str, others: str | None, most: int = MOST_HOLDERS) -> str:
    makers = [own, *(others.split(" ") if others else ())]
    if len(makers) > most:
        raise UnprocessableEntity(
            f"Your key was made with a key that was made with a key, and so on, {most} times: it can make no other.",
            code="too_many_makers",
        )
    return " ".join(makers)
