"""How far a rule is used up, as its gate tells it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counter:
    """Of one limit or budget, now. `used` is settled, `reserved` is held for requests that are under way.

    `resets_at_ms` is when a calendar window ends, in milliseconds since 1970; None where there is no such time.
    """

    used: int
    reserved: int
    resets_at_ms: int | None
