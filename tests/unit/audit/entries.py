"""Events and chains of them, for tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from lib.audit.chain import EMPTY, Entry, Head, Link, Log, chain_key, linked
from lib.kernel.ids import new_id
from tests.unit.fakes import NOW

KEY = chain_key("s" * 32)
ORG_ID = new_id(NOW)


def event(number: int = 0, **changes: object) -> Entry:
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
    return replace(made, **changes)  # type: ignore[arg-type]


def chain(number: int, owner: str = ORG_ID, key: bytes = KEY) -> list[Link]:
    """Return a whole chain of somebody's."""
    links: list[Link] = []
    head = EMPTY
    for each in range(number):
        links.append(linked(key, event(each, owner=owner), head))
        head = Head(links[-1].seq, links[-1].hash)
    return links
