"""By which law a figure grows with what it depends on, as far as a few measurements tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

# A figure that stays within this factor over all sizes is called flat: two cores are not quieter.
STEADY = 1.5
# The laws that are tried, simplest first. Each is a fixed part and a part that grows so.
LAWS: tuple[tuple[str, Callable[[float], float]], ...] = (
    ("log", lambda n: math.log(n + 1)),
    ("linear", lambda n: n),
    ("**square**", lambda n: n * n),
)
# How much better a later law must fit to be taken.
BETTER = 0.8
FEWEST = 3  # a line goes through any two


@dataclass(frozen=True)
class Law:
    """Its name; and for a linear one what each 1,000 more add."""

    name: str
    per_thousand: float | None = None


def law_of(values: Mapping[int, float]) -> Law:
    """Return the law of figures by size. With fewer than three sizes there is none but flat or not."""
    least, most = min(values.values()), max(values.values())
    first, last = values[min(values)], values[max(values)]
    if most <= 0 or most <= STEADY * least or last <= STEADY * first:
        return Law("flat")
    if len(values) < FEWEST:
        return Law("grows")
    fits = [(name, *_fit(values, part)) for name, part in LAWS]
    name, error, _, slope = fits[0]
    for other, its_error, _, its_slope in fits[1:]:
        if its_error < BETTER * error:
            name, error, slope = other, its_error, its_slope
    return Law(name, slope * 1000 if name == "linear" else None)


def _fit(values: Mapping[int, float], part: Callable[[float], float]) -> tuple[float, float, float]:
    """Fit a + b·part(n), each figure weighing alike in proportion; return the error, a and b. Neither is below zero."""
    points = [(part(size), value, 1 / max(value, 1e-9) ** 2) for size, value in values.items()]
    weight = sum(w for _, _, w in points)
    middle_x = sum(w * x for x, _, w in points) / weight
    middle_y = sum(w * y for _, y, w in points) / weight
    spread = sum(w * (x - middle_x) ** 2 for x, _, w in points)
    slope = max(0.0, sum(w * (x - middle_x) * (y - middle_y) for x, y, w in points) / spread) if spread else 0.0
    fixed = middle_y - slope * middle_x
    if fixed < 0:
        fixed, slope = 0.0, sum(w * x * y for x, y, w in points) / sum(w * x * x for x, _, w in points)
    error = sum(w * (fixed + slope * x - y) ** 2 for x, y, w in points)
    return error, fixed, slope
