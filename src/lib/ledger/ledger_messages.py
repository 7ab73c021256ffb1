"""Records on their way from a gate to the store, as messages of a queue: how they are packed, read, and kept track of.

A message is a JSON text: `{"org_id": …, "records": [a usage record, …]}`. It may come twice, late, out of order or
never: the gate keeps each record until it hears that the store has it, and sends it again after a while.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lib.ledger.usage_store import Record

T = TypeVar("T")

# A queue takes 128 KB a message and 256 KB a call; what it adds to each is not ours to know.
# https://developers.cloudflare.com/queues/platform/limits/
MESSAGE_BYTES = 100_000
CALL_MESSAGES = 2
# What is written to the store in one go: D1 takes 2 MB as one value, and a character is up to 4 bytes.
WRITE_CHARACTERS = 450_000
# How long the store may take to confirm a record before the gate sends it again; each time twice as long as before, so
# that a store which is slow is not given more to do for it.
AGAIN_AFTER_MS = 60_000
MOST_AGAIN_AFTER_MS = 15 * 60_000
# How long the queue waits at first, and at most, before it brings a message again that the store was not there for.
FIRST_RETRY_SECONDS = 30
MOST_RETRY_SECONDS = 15 * 60
# So many records of one gate are under way at most; the others wait in it.
MOST_UNDER_WAY = 4_000

_HEAD = re.compile(r'\{"org_id":"([^"\\]{36})","records":\[')


@dataclass(frozen=True, slots=True)
class Message:
    """What one message brings."""

    org_id: str
    records: Sequence[Record]


def packed(org_id: str, records: Sequence[Record]) -> list[str]:
    """Return messages for records, of which there is one at least, in order, each as full as it may be.

    A record that fills more than a message alone goes alone: the queue refuses it, and it takes the other way.
    """
    head = f'{{"org_id":{json.dumps(org_id)},"records":['
    texts = [json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in records]
    messages: list[list[str]] = [[]]
    size = len(head)
    for text in texts:
        more = len(text.encode()) + 1
        if messages[-1] and size + more > MESSAGE_BYTES:
            messages.append([])
            size = len(head)
        messages[-1].append(text)
        size += more
    return [f"{head}{','.join(message)}]}}" for message in messages]


def org_of(text: object) -> str | None:
    """Return whose message it is, by its begin alone; None for one that no gate of ours has sent."""
    found = _HEAD.match(text) if isinstance(text, str) else None
    return found[1] if found else None


def retry_seconds(attempts: int) -> int:
    """Return how long the queue waits before it brings a message again that was brought so often in vain."""
    return min(FIRST_RETRY_SECONDS << min(attempts - 1, 10), MOST_RETRY_SECONDS)


def unpacked(text: object) -> Message | None:
    """Read a message; None for one that no gate of ours has sent."""
    try:
        parsed = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        parsed = None
    match parsed:
        case {"org_id": str(org_id), "records": [*records]} if len(org_id) == 36 and all(map(_is_record, records)):
            return Message(org_id, records)
    return None


def _is_record(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("id"), str) and isinstance(value.get("cause"), str)


def merged(records: Iterable[Record]) -> list[Record]:
    """Return the records, each id once: the settled one where another was given up for lost."""
    found: dict[str, Record] = {}
    for record in records:
        if found.get(record["id"], record)["cause"] == "lost":
            found[record["id"]] = record
        else:
            found.setdefault(record["id"], record)
    return list(found.values())


@dataclass(slots=True)
class UnderWay:
    """The records that a gate has given to the queue, when, and for how long it waits for each.

    In memory: who forgets them sends them again.
    """

    _sent: dict[str, tuple[int, int]] = field(default_factory=dict)  # by id: when, and how long it is waited for
    _again: dict[str, int] = field(default_factory=dict)  # what was waited for in vain: how long the next time

    def sent(self, ids: Iterable[str], now_ms: int) -> None:
        """Note that records have been sent."""
        for name in ids:
            self._sent[name] = (now_ms, self._again.pop(name, AGAIN_AFTER_MS))

    def arrived(self, ids: Iterable[str]) -> None:
        """Note that records need not be waited for any longer."""
        for name in ids:
            self._sent.pop(name, None)
            self._again.pop(name, None)

    def waiting(self, now_ms: int) -> list[str]:
        """Return the ids of records that are not to be sent now; those that have been under way too long are."""
        for name, (sent, wait) in list(self._sent.items()):
            if not now_ms - wait < sent <= now_ms:
                del self._sent[name]
                self._again[name] = min(wait * 2, MOST_AGAIN_AFTER_MS)
        return list(self._sent)

    def full(self, now_ms: int) -> bool:
        """Tell whether no more may be sent now."""
        return len(self.waiting(now_ms)) >= MOST_UNDER_WAY

    @property
    def next_ms(self) -> int | None:
        """When the next is to be sent again; None where nothing is under way."""
        return min((sent + wait for sent, wait in self._sent.values()), default=None)


def ids_of(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the ids of records."""
    return [record["id"] for record in records]


def writes(messages: Sequence[T], size: Callable[[T], int]) -> list[list[T]]:
    """Group one organisation's messages into writes of a size (in characters) that the store takes."""
    groups: list[list[T]] = []
    total = 0
    for message in messages:
        total += size(message)
        if not groups or total > WRITE_CHARACTERS:
            groups.append([])
            total = size(message)
        groups[-1].append(message)
    return groups
