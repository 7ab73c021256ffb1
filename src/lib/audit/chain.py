"""The chain of the audit log: how a row's hash is made, and what a reader finds when rows were tampered with. No I/O.

A row's hash is HMAC-SHA-256 over all that the row says, its number and the hash of the row before it. The key is
derived from HEADGATE_SECRET, so whoever can write to the database, but does not know the secret, can neither change a
row nor make one: changed, inserted, removed and reordered rows are found. A log begins with the row that its owner was
made with, so one that was emptied is found too, also when new rows follow. Only rows cut off at the end leave a chain
that is whole, so a reader compares its head with one that was noted earlier.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from lib.secrets.api_keys import derive
from lib.store.dialect import time_text
from lib.store.schema import AuditEventRow, PersonEventRow

FIRST_PREVIOUS = "0" * 64  # what the first row of a chain carries as the hash before it


class Log(StrEnum):
    """Which log a row is of; the value is its table."""

    ORG = "audit_events"
    PERSON = "person_events"

    @property
    def owner_column(self) -> str:
        """Return the column that names whose row it is."""
        return "org_id" if self is Log.ORG else "user_id"

    @property
    def owners(self) -> str:
        """Return the table of those whose rows these are."""
        return "orgs" if self is Log.ORG else "users"

    @property
    def birth(self) -> str:
        """Return the action of each log's first row: it is written with its owner."""
        return "org.created" if self is Log.ORG else "user.signed_up"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one row says, but for its place. `owner` is the organisation or the person; `details` is JSON text."""

    log: Log
    owner: str
    id: str
    action: str
    actor: str
    target: str | None
    result: str
    address: str | None
    request_id: str | None
    details: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: its last row's number and hash."""

    seq: int
    hash: str


EMPTY = Head(0, FIRST_PREVIOUS)


@dataclass(frozen=True, slots=True)
class Link:
    """A row: an entry at its place in a chain. `intact`: all columns that the hash does not cover are as they were."""

    entry: Entry
    seq: int
    previous_hash: str
    hash: str
    intact: bool = True


class Finding(StrEnum):
    """What a reader can find."""

    CHANGED = "changed"  # the row is not as it was written, or was made by somebody without the secret
    MISSING = "missing"  # rows between this one and the one before it are gone
    MISPLACED = "misplaced"  # the row before this one is not the one that was there when it was written
    EMPTIED = "emptied"  # the first row, with which the owner was made, is gone, and all behind it with it
    CUT = "cut"  # rows at the end are gone, or others stand there, compared with a head that was noted earlier


@dataclass(frozen=True, slots=True)
class Flaw:
    """One finding: at which row of whose log."""

    log: Log
    owner: str
    seq: int
    finding: Finding


def chain_key(secret: str) -> bytes:
    """Return the key of the chains. `secret` is HEADGATE_SECRET."""
    return derive(secret, "audit-chain")


def link_of(row: AuditEventRow | PersonEventRow) -> Link:
    """Return a stored row as a link."""
    log, owner = (Log.ORG, row.org_id) if isinstance(row, AuditEventRow) else (Log.PERSON, row.user_id)
    entry = Entry(
        log, owner, row.id, row.action, row.actor, row.target, row.result, row.address, row.request_id, row.details,
        row.created_at,
    )  # fmt: skip
    return Link(entry, row.seq, row.previous_hash, row.hash, intact=row.updated_at == row.created_at)


def linked(key: bytes, entry: Entry, head: Head) -> Link:
    """Return the row that carries an entry on from a head."""
    seq = head.seq + 1
    return Link(entry, seq, head.hash, _hash(key, entry, seq, head.hash))


def flaws(
    keys: Sequence[bytes],
    log: Log,
    links: Iterable[Link],
    noted: Mapping[str, Head] | None = None,
    owners: Collection[str] = (),
) -> Iterator[Flaw]:
    """Yield what is wrong with the chains of one log, whose rows come owner by owner, each in the order of `seq`.

    `noted` are heads by owner that were read earlier: those rows must still be there, as they were. `owners` are those
    that exist: each must have a log, from the row on with which it was made. `keys` are those of the deployment's
    secrets, the current one's first: behind a row of one, none of an older one is true.
    """
    heads: dict[str, Head] = {}
    of: dict[str, Sequence[bytes]] = {}
    unborn = set(owners)
    missed = {owner: head for owner, head in (noted or {}).items() if head != EMPTY}
    for link in links:
        owner = link.entry.owner
        of[owner], found = _flaws(of.get(owner, keys), link, heads.get(owner, EMPTY))
        yield from found
        if owner not in heads and (link.entry.action == log.birth or link.seq > 1):
            unborn.discard(owner)  # one that begins later has been told of already: rows before it are missing
        heads[owner] = Head(link.seq, link.hash)
        if missed.get(owner) == heads[owner]:
            del missed[owner]
    for owner in sorted(unborn):
        yield Flaw(log, owner, 1, Finding.EMPTIED)
    for owner, head in missed.items():
        yield Flaw(log, owner, head.seq, Finding.CUT)


def _flaws(keys: Sequence[bytes], link: Link, before: Head) -> tuple[Sequence[bytes], list[Flaw]]:
    """Judge one row by the one before it, as that one stands there now: so one deed is one flaw.

    Returns also the keys that the next row may have.
    """
    entry, findings = link.entry, []
    made_with = next((at for at, key in enumerate(keys) if _is_of(key, link)), None)
    if not link.intact or made_with is None:
        findings.append(Finding.CHANGED)
    if link.seq > before.seq + 1:
        findings.append(Finding.MISSING)
    elif link.seq != before.seq + 1 or link.previous_hash != before.hash:
        findings.append(Finding.MISPLACED)
    still = keys if made_with is None else keys[: made_with + 1]
    return still, [Flaw(entry.log, entry.owner, link.seq, finding) for finding in findings]


def _is_of(key: bytes, link: Link) -> bool:
    return hmac.compare_digest(link.hash, _hash(key, link.entry, link.seq, link.previous_hash))


def _hash(key: bytes, entry: Entry, seq: int, previous_hash: str) -> str:
    """JSON keeps apart what stands side by side: two different rows never give one text."""
    parts = [
        entry.log, entry.owner, seq, entry.id, entry.action, entry.actor, entry.target, entry.result, entry.address,
        entry.request_id, entry.details, time_text(entry.at), previous_hash,
    ]  # fmt: skip
    return hmac.new(key, json.dumps(parts).encode(), hashlib.sha256).hexdigest()
