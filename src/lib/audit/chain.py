"""What a reader of the audit log finds when rows were tampered with. No I/O; no part of the Worker.

A row's seal is made of what it says, its link of its number, its seal and the link before it, both under a key derived
from HEADGATE_SECRET. So whoever can write to the database, but does not know the secret, can neither change a row nor
make one, nor give one another's place: changed, inserted, removed and reordered rows are found. A log begins with the
row that its owner was made with, so one that was emptied is found too, also when new rows follow. Rows cut off at the
end are found where their links are still there; where those are gone too the chain is whole, so a reader compares its
head with one that was noted earlier. Rows that have no link yet, of changes just made, are held by their seals alone.

Releases before 0015 chained rows when they wrote them: such a row carries the hash of the row before it, and its own,
which is made of that. The chain goes on from the last of them.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lib.audit.link_store import EMPTY, Link, link_hash
from lib.events.event_store import SEALED, Entry, Log, keyed_hash, said, seal


@dataclass(frozen=True, slots=True)
class Row:
    """A stored row. `link` is None where it has none; `intact`: all columns that no hash covers are as they were."""

    entry: Entry
    seq: int
    previous_hash: str
    hash: str
    link: Link | None
    intact: bool = True


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: its last link's number and hash."""

    seq: int
    hash: str


START = Head(EMPTY.seq, EMPTY.hash)


class Finding(StrEnum):
    """What a reader can find."""

    CHANGED = "changed"  # the row is not as it was written, or was made by somebody without the secret
    MISSING = "missing"  # rows between this one and the one before it are gone
    MISPLACED = "misplaced"  # this row, or the one before it, is not the one that was linked here
    EMPTIED = "emptied"  # the first row, with which the owner was made, is gone, and all behind it with it
    CUT = "cut"  # rows at the end are gone, or others stand there, by a link or a head that was noted earlier


@dataclass(frozen=True, slots=True)
class Flaw:
    """One finding: at which row of whose log."""

    log: Log
    owner: str
    seq: int
    finding: Finding


@dataclass(slots=True)
class _Read:
    """What was read of one log so far. `sealers` and `linkers` are the keys that the next row and link may have."""

    sealers: Sequence[bytes]
    linkers: Sequence[bytes]
    seq: int = 0
    hash: str = START.hash  # the column of the last row
    head: Head = START
    linked: bool = False


def flaws(
    keys: Sequence[bytes],
    log: Log,
    rows: Iterable[Row],
    noted: Mapping[str, Head] | None = None,
    owners: Mapping[str, int] | None = None,
    heads: dict[str, Head] | None = None,
) -> Iterator[Flaw]:
    """Yield what is wrong with the chains of one log, whose rows come owner by owner, each in the order of `seq`.

    `noted` are heads by owner that were read earlier: those rows must still be there, as they were. `owners` are those
    that exist, with the number of their last link, 0 for none: each must have a log, from the row on with which it was
    made up to that number. `keys` are those of the deployment's secrets, the current one's first: behind a row of one,
    none of an older one is true. The heads that are found go into `heads`.
    """
    read: dict[str, _Read] = {}
    unborn = set(owners or {})
    missed = {owner: head for owner, head in (noted or {}).items() if head != START}
    for row in rows:
        owner = row.entry.owner
        if owner not in read:
            read[owner] = _Read(keys, keys)
            if row.entry.action == log.birth or row.seq > 1:
                unborn.discard(owner)  # one that begins later has been told of already: rows before it are missing
        yield from (Flaw(log, owner, row.seq, finding) for finding in _findings(read[owner], row))
        if missed.get(owner) == read[owner].head:
            del missed[owner]
        if heads is not None:
            heads |= {owner: read[owner].head} if read[owner].head != START else {}
    yield from (Flaw(log, owner, 1, Finding.EMPTIED) for owner in sorted(unborn))
    cut = {owner: last for owner, last in (owners or {}).items() if owner not in unborn and last > read[owner].seq}
    cut |= {owner: head.seq for owner, head in missed.items()}
    yield from (Flaw(log, owner, seq, Finding.CUT) for owner, seq in cut.items())


def _findings(read: _Read, row: Row) -> Iterator[Finding]:
    """Judge one row by the one before it, as that one stands there now: so one deed is one flaw."""
    entry, link = row.entry, row.link
    chained = row.previous_hash != SEALED
    made = (lambda key: chained_hash(key, row)) if chained else (lambda key: seal(key, entry))
    read.sealers, true = _made_with(read.sealers, row.hash, made)
    if not row.intact or not true:
        yield Finding.CHANGED
    follows = not chained or row.previous_hash == read.hash
    if link is None and chained and row.previous_hash == read.head.hash:
        link = Link(row.seq, row.previous_hash, row.hash)  # its own
    if link is not None:
        if not chained or link.hash != row.hash:
            before = link.previous_hash
            read.linkers, true = _made_with(
                read.linkers, link.hash, lambda key: link_hash(key, entry.log, entry.owner, row.seq, row.hash, before)
            )
            follows = follows and true
        # Where 0015 was undone, an earlier release may have chained a row to one whose link is gone.
        follows = follows and (link.previous_hash == read.head.hash or (chained and not read.linked))
        read.head, read.linked = Head(row.seq, link.hash), row.link is not None
    if row.seq > read.seq + 1:
        yield Finding.MISSING
    elif row.seq != read.seq + 1 or not follows:
        yield Finding.MISPLACED
    read.seq, read.hash = row.seq, row.hash


def _made_with(keys: Sequence[bytes], found: str, make: Callable[[bytes], str]) -> tuple[Sequence[bytes], bool]:
    """Tell whether one of the keys made a hash, and return those that the next may have."""
    for at, key in enumerate(keys):
        if hmac.compare_digest(found, make(key)):
            return keys[: at + 1], True
    return keys, False


def chained_hash(key: bytes, row: Row) -> str:
    """Return the hash that a release before 0015 gave a row: its number stood behind its owner."""
    log, owner, *rest = said(row.entry)
    return keyed_hash(key, log, owner, row.seq, *rest, row.previous_hash)
