"""The speed measurements as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench.load import Result
from bench.speed import Cell

GOAL_MS = 3.0
_COLUMNS = (
    *("request", "load", "answered by", "req/s", "÷ direct", "÷ pass-through"),
    *("first byte p50", "p99", "added p50", "whole p50", "p99", "CPU"),
)
_TEXT_COLUMNS = 3


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    """Return a Markdown table whose first columns are text and whose others are numbers."""
    rule = ["---"] * text_columns + ["--:"] * (len(columns) - text_columns)
    return "\n".join("| " + " | ".join(row) + " |" for row in (columns, rule, *rows))


def speed_table(cells: Sequence[Cell]) -> str:
    """One line for each request, load and contestant. Times are milliseconds."""
    rows = []
    for cell in cells:
        rows.append([cell.case.name, cell.load.name, "direct", *_figures(cell, cell.direct)])
        rows.append(["", "", "pass-through", *_figures(cell, cell.passthrough)])
        rows.append(["", "", "**Headgate**", *_figures(cell, cell.headgate)])
    return table(_COLUMNS, rows, _TEXT_COLUMNS)


def goal_table(cells: Sequence[Cell]) -> str:
    """What Headgate adds to the time to first byte at one connection, against the goal."""
    rows = []
    for cell in cells:
        if cell.load.connections == 1:
            added = _added(cell, cell.headgate)
            verdict = "met" if added <= GOAL_MS else "missed"
            rows.append([cell.case.name, cell.load.name, f"{added:.2f} ms", f"{GOAL_MS:.0f} ms", verdict])
    return table(("request", "load", "added at the median", "goal", ""), rows, 2)


def noise_line(noise: Sequence[float]) -> str:
    """How much the rounds differ, of which `noise` has one figure for each line."""
    return (
        f"From the slowest round to the fastest, Headgate's rates differ by {median(noise):.0%} "
        f"(the median of all lines; {max(noise):.0%} at most)."
    )


def _figures(cell: Cell, result: Result) -> list[str]:
    is_direct, is_through = result is cell.direct, result is cell.passthrough
    return [
        f"{result.rate:,.0f}",
        "" if is_direct else share(result.rate / cell.direct.rate),
        "" if is_direct or is_through else share(result.rate / cell.passthrough.rate),
        f"{result.ttfb.p50:.2f}",
        f"{result.ttfb.p99:.2f}",
        "" if is_direct else f"{_added(cell, result):.2f}",
        f"{result.total.p50:.2f}",
        f"{result.total.p99:.2f}",
        "" if is_direct else f"{result.cpu_ms:.2f}",
    ]


def _added(cell: Cell, result: Result) -> float:
    return result.ttfb.p50 - cell.direct.ttfb.p50


def share(ratio: float) -> str:
    """Return a ratio with two digits that count."""
    return f"{ratio:.3f}" if ratio < 0.1 else f"{ratio:.2f}"
