"""What is simulated of leasing gates, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """One simulation. Chances are of each message or call; times are steps, in which one call comes on average."""

    children: int = 20
    calls: int = 10_000
    cap_calls: int = 8_000  # the budget, in calls of the average cost
    lease_calls: int = 16  # the most of one lease, in calls of the greatest bound
    loss: float = 0.02
    doubled: float = 0.02
    crash: float = 0.002
    idle: int = 200  # how long a child without a call keeps its leases
    recall: int = 0  # who is refused has all unspent slices called back, once in so many steps; 0: never
    least_bound: int = 40
    most_bound: int = 100


class Overshoot(Exception):
    """The invariant is broken: more may be spent than there is."""


@dataclass
class Outcome:
    """What came of it. `early` were refused although the budget had room for them.

    `most_room` is the most that was free beyond what a refused wish needed, and `most_leased` was unspent then.
    """

    admitted: int = 0
    refused: int = 0
    early: int = 0
    unavailable: int = 0  # crashed, or not answered in time
    messages: int = 0
    most_room: int = 0
    most_leased: int = 0
    overshoot: int = 0
    unspent: int = 0
