"""What a gate keeps of a counter, as the tests of counters need it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Counter(Protocol):
    def changes(self) -> Mapping[int, int]: ...


def keep(kept: dict[int, int], count: Counter) -> dict[int, int]:
    """Store the changes as a gate does: what is 0 is not kept."""
    for slot, amount in count.changes().items():
        kept.pop(slot, None)
        if amount:
            kept[slot] = amount
    return kept
