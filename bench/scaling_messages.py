"""What gates that lease slices say to each other: see docs/scaling.md."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cut:
    """A lease is smaller now; or, `final`, over, and so much of it was spent."""

    lease: int
    amount: int
    final: bool


@dataclass(frozen=True, slots=True)
class Ask:
    """A child's message: cuts, and (where `lease` is set) the wish for a slice of at least `need`."""

    child: int
    cuts: tuple[Cut, ...]
    lease: int | None
    need: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The parent's: the cuts that it has heard, and how much the lease is; 0 for refused."""

    heard: tuple[Cut, ...]
    lease: int | None
    amount: int
