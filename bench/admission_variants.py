"""Headgate with more or less of its admission: what the benchmark compares."""

from __future__ import annotations

from dataclasses import dataclass

MANY = 10**12
RULES = (
    ("budgets", {"scope": {"type": "org"}, "window": "month", "limit_nano_usd": 2**53}),
    ("budgets", {"scope": {"type": "key", "id": "*"}, "window": "day", "limit_nano_usd": 2**53}),
    ("limits", {"scope": {"type": "key", "id": "*"}, "unit": "requests", "limit": MANY, "window_seconds": 60}),
    ("limits", {"scope": {"type": "org"}, "unit": "tokens", "limit": MANY, "window_seconds": 60}),
)


@dataclass(frozen=True)
class Variant:
    """What is left of admission (see admission_entry.py), whether the organisation has rules, and where its data is."""

    name: str
    cut: str
    rules: bool
    in_memory: bool = False


WITHOUT = Variant("without admission", "none", rules=False)
NO_RULES = Variant("gate, no rules", "whole", rules=False)
RULED = Variant("**gate, four rules**", "whole", rules=True)
# What is left when no disk is waited for.
IN_MEMORY = Variant("gate, four rules, data in memory", "whole", rules=True, in_memory=True)
# In the order in which they build up.
VARIANTS = (
    WITHOUT,
    NO_RULES,
    Variant("record and upper bound, as JSON", "asked", rules=False),
    Variant("… and RPC to a gate that does nothing", "carried", rules=False),
    Variant("… and the decision, kept nowhere", "decided", rules=True),
    RULED,
    IN_MEMORY,
    Variant("four rules, never settled", "unsettled", rules=True),
)
