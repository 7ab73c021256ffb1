"""Events and chains of them, for tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from lib.audit.chain import START, Head, Row, chained_hash
from lib.audit.link_store import Link, link_hash
from lib.events.event_store import SEALED, Entry, Log, log_key, seal
from lib.kernel.ids import new_id
from tests.unit.fakes import NOW

SECRET = "s" * 32
KEY = log_key(SECRET)
ORG_ID = new_id(NOW)


def event(number: int = 0, **changes: Any) -> Entry:
    """Return an event; each number gives another."""
    made = Entry(
        log=Log.ORG,
        owner=ORG_ID,
        id=new_id(NOW),
        action="key.create",
        actor=f"user:{number}",
        target=None,
        result="ok",
        address="192.0.2.1",
        request_id="r",
        details="{}",
        at=NOW + timedelta(seconds=number),
    )
    return replace(made, **changes)


def sealed(key: bytes, entry: Entry, head: Head) -> Row:
    """Return the row behind a head, with its link."""
    link = Link(
        head.seq + 1, head.hash, link_hash(key, entry.log, entry.owner, head.seq + 1, seal(key, entry), head.hash)
    )
    return Row(entry, link.seq, SEALED, seal(key, entry), link)


def chained(key: bytes, entry: Entry, before: Row | None) -> Row:
    """Return the row that a release before 0015 has put behind another."""
    seq, previous = (before.seq + 1, before.hash) if before else (1, START.hash)
    row = Row(entry, seq, previous, "", None)
    return replace(row, hash=chained_hash(key, row))


def own_link(row: Row) -> Row:
    """Return a row of an earlier release with the link that it is itself."""
    return replace(row, link=Link(row.seq, row.previous_hash, row.hash))


def head_of(row: Row) -> Head:
    """Return the place of a row in its chain."""
    return Head(row.seq, row.link.hash if row.link else row.hash)


def chain(number: int, owner: str = ORG_ID, key: bytes = KEY, old: int = 0, **said: Any) -> list[Row]:
    """Return a whole chain of somebody's, of which an earlier release wrote the first `old`: the last has its link."""
    rows: list[Row] = []
    for each in range(number):
        entry = event(each, owner=owner, **said)
        if each < old:
            rows.append(chained(key, entry, rows[-1] if rows else None))
            if each == old - 1:
                rows[-1] = own_link(rows[-1])
        else:
            rows.append(sealed(key, entry, head_of(rows[-1]) if rows else START))
    return rows
