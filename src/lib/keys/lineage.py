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

from lib.kernel.errors import UnprocessableEntity
from lib.keys.key_store import FIRST, KeyRow, Lineage

MOST_MAKERS = 4
# By holders there may be more: whoever rotates another's key is behind its successor.
MOST_HOLDERS = 27


def of_made(maker: KeyRow | None) -> Lineage:
    """Return the lineage of a key that was made or minted with `maker`. Raises UnprocessableEntity."""
    if maker is None:
        return FIRST
    lines = _behind(maker.line_id, maker.maker_line_ids, MOST_MAKERS)
    return Lineage(maker_line_ids=lines, maker_holder_ids=_behind(maker.holder_id, maker.maker_holder_ids))


def of_successor(old: KeyRow, maker: KeyRow | None) -> Lineage:
    """Return the lineage of the key that replaces `old`, and was made with `maker`. Its rules are those of the old.

    Raises UnprocessableEntity.
    """
    if maker is not None and maker.holder_id == old.holder_id:
        return Lineage(old.line_id, old.maker_line_ids, old.holder_id, old.maker_holder_ids)
    holders = None if maker is None else _behind(maker.holder_id, maker.maker_holder_ids)
    return Lineage(old.line_id, old.maker_line_ids, None, holders)


def _behind(own: str, others: str | None, most: int = MOST_HOLDERS) -> str:
    makers = [own, *(others.split(" ") if others else ())]
    if len(makers) > most:
        raise UnprocessableEntity(
            f"Your key was made with a key that was made with a key, and so on, {most} times: it can make no other.",
            code="too_many_makers",
        )
    return " ".join(makers)
