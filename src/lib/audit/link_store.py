"""The links of the audit log's chains: each holds one row to its number, and to all rows before it.

A row is written with its seal (`lib.events.event_store`) and gets its link when its change has been answered: by the
request that wrote it, or by the hourly work where that died. A link is HMAC-SHA-256 over the row's number, its seal and
the link before it. What is linked follows from the rows, so two who link at once write the same; the primary key takes
one.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

from lib.audit.audit_store import Logged, behind
from lib.events.event_store import SEALED, Log, keyed_hash, log_of
from lib.store.database import Database
from lib.store.tenant import EveryOrg, Org, Person


@dataclass(frozen=True, slots=True)
class Link:
    """The link of the row with this number."""

    seq: int
    previous_hash: str
    hash: str


# The end of a chain of which nothing is linked.
EMPTY = Link(0, "", "0" * 64)


@dataclass(frozen=True, slots=True)
class _Owner:
    owner: str


def link_hash(key: bytes, log: Log, owner: str, seq: int, seal: str, previous_hash: str) -> str:
    """Return the hash of a link."""
    return keyed_hash(key, "link", log, owner, seq, seal, previous_hash)


def linked(key: bytes, owner: Org | Person, head: Link, rows: Iterable[Logged]) -> Iterator[Link]:
    """Yield the links of the rows behind a head. A row that an earlier release has chained to it is its own link."""
    before = head.hash
    for row in rows:
        chained = row.previous_hash == before
        own = row.hash if chained else link_hash(key, log_of(owner), owner.id, row.seq, row.hash, before)
        yield Link(row.seq, before, own)
        before = own


async def head(database: Database, owner: Org | Person) -> Link:
    """Return the last link of somebody's chain."""
    log = log_of(owner)
    sql = f"SELECT seq, previous_hash, hash FROM {log.links} WHERE {log.owner_column} = ? ORDER BY seq DESC LIMIT 1"
    return await database.one(owner, Link, sql, owner.id) or EMPTY


async def write(database: Database, owner: Org | Person, links: Iterable[Link], now: datetime) -> None:
    """Write links. Raises UniqueViolation, and writes none, where somebody else has written one of them."""
    log = log_of(owner)
    made = database.dialect.json_rows("?2", {"seq": int, "previous_hash": str, "hash": str})
    sql = (
        f"INSERT INTO {log.links} ({log.owner_column}, seq, previous_hash, hash, created_at, updated_at)"
        f" SELECT ?1, made.seq, made.previous_hash, made.hash, ?3, ?3 FROM {made} AS made"
    )
    await database.execute(owner, sql, owner.id, json.dumps([asdict(link) for link in links]), now)


async def coming(database: Database, key: bytes, owner: Org | Person, wanted: Collection[int]) -> dict[int, Link]:
    """Return the links that the rows with these numbers will have, which have none yet."""
    found: dict[int, Link] = {}
    end = await head(database, owner)
    while not found.keys() >= set(wanted) and (rows := await behind(database, owner, end.seq)):
        found |= {link.seq: link for link in linked(key, owner, end, rows)}
        end = found[rows[-1].seq]
    return found


async def left(database: Database, log: Log, since_id: str, limit: int) -> list[str]:
    """Return the owners of rows made with this id or a later one that have no link yet: of `limit` such rows."""
    links, column = log.links, log.owner_column
    own = f"{links}.{column} = {log}.{column} AND {links}.seq = {log}.seq"
    sql = (
        f"SELECT {log}.{column} AS owner FROM {log} WHERE {log}.id >= ?1 AND {log}.previous_hash = ?2"
        f" AND (SELECT count(*) FROM {links} WHERE {own}) = 0 ORDER BY {log}.id LIMIT ?3"  # a seek a row
    )
    rows = await database.query(EveryOrg(log.value), _Owner, sql, since_id, SEALED, limit)
    return list(dict.fromkeys(row.owner for row in rows))
