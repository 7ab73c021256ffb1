"""The speed measurements as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench.cases import DIRECT, HEADGATE, PASSTHROUGH, Case
from bench.load import Result
from bench.speed import Cell, Load

_COLUMNS = (
    *("request", "load", "answered by", "CPU", "req/s", "÷ direct", "÷ pass-through"),
    *("first byte p50", "p99", "added p50", "whole p50", "p99"),
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
        first = [cell.case.name, cell.load.name]
        for name in (DIRECT, PASSTHROUGH, HEADGATE):
            rows.append([*first, f"**{name}**" if name == HEADGATE else name, *_figures(cell, name)])
            first = ["", ""]
    return table(_COLUMNS, rows, _TEXT_COLUMNS)


def noise_line(noise: Sequence[float]) -> str:
    """How much the rounds differ, of which `noise` has one figure for each line."""
    return (
        f"From the slowest round to the fastest, Headgate's rates differ by {median(noise):.0%} "
        f"(the median of all lines; {max(noise):.0%} at most)."
    )


def find(cells: Sequence[Cell], case: Case, load: Load) -> Cell:
    """Return the cell of a case and a load. Raises StopIteration where it was not measured."""
    return next(cell for cell in cells if (cell.case, cell.load) == (case, load))


def added(cell: Cell, name: str = HEADGATE) -> float:
    """Return what somebody adds to the median time to first byte, in ms."""
    return cell.results[name].ttfb.p50 - cell.results[DIRECT].ttfb.p50


def _figures(cell: Cell, name: str) -> list[str]:
    result: Result = cell.results[name]
    is_direct = name == DIRECT
    return [
        "" if is_direct else f"{result.cpu_ms:.2f}",
        f"{result.rate:,.0f}",
        "" if is_direct else share(result.rate / cell.results[DIRECT].rate),
        "" if is_direct or name == PASSTHROUGH else share(result.rate / cell.results[PASSTHROUGH].rate),
        f"{result.ttfb.p50:.2f}",
        f"{result.ttfb.p99:.2f}",
        "" if is_direct else f"{added(cell, name):.2f}",
        f"{result.total.p50:.2f}",
        f"{result.total.p99:.2f}",
    ]


def share(ratio: float) -> str:
    """Return a ratio with two digits that count."""
    return f"{ratio:.3f}" if ratio < 0.1 else f"{ratio:.2f}"
