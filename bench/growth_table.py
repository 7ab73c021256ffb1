"""How cost grows as Markdown: a table for each dimension, each line with its law, and the figures of before."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.growth import ROWS_A_CALL, Figure
from bench.growth_cases import Dimension
from bench.growth_law import law_of
from bench.speed_table import table

THREE_DIGITS = 100  # which say enough
HEADING = "## How cost grows"
TEXT = """\
{heading}

Written by `bench/run.py --only growth{quick}` on {date}. One dimension at a time, on bare workerd, with the tables
filled by SQL while it is stopped (`bench/growth_cases.py`); D1 is SQLite behind a Durable Object in the same process,
so **CPU** is that of the Worker, the gate and the database together. One run each, on two cores that did other things
besides ({load}): compare within a line. **Law** is what fits the figures: flat (within a factor of 1.5), log, linear
with what a thousand more add, or square, which would be a defect. In brackets stands what the same was before the work
on growth, where it was measured then. Rows read are money in production: SQLite itself counts them.

Waiting is no cost: from some hundred streams of 50 events a second on, an isolate's one thread is busy all the time,
and what waits for it waits longer with each stream more. `CPU ms a stream` tells what they cost.

In short, from the smallest to the largest of each:

{summary}

{dimensions}
"""
# What was measured before, by dimension and figure.
BEFORE: Mapping[str, Mapping[str, Mapping[int, float]]] = {
    "End users": {
        "first call after a restart, ms": {10: 66, 1_000: 79, 10_000: 270, 100_000: 1_070},
        "WebAssembly.Memory then, MiB": {10_000: 52, 100_000: 130},
        "WebAssembly.Memory after it, MiB": {10_000: 62, 100_000: 187},
        "a call at 16 connections, CPU ms": {10: 2.6, 1_000: 2.3, 10_000: 3.3, 100_000: 2.4},
        "a call, 9 a second, CPU ms": {10: 11.6, 1_000: 12.2, 10_000: 15.1, 100_000: 23.6},
        "a policy change, ms": {10: 31, 1_000: 36, 10_000: 200, 100_000: 2_660},
        "verify-ledger, ms": {1_000: 65, 10_000: 650},
    },
    "Calls of a day": {
        "first call after a restart, ms": {1_000: 66, 10_000: 72, 100_000: 78, 1_000_000: 161},
        "a call at 16 connections, CPU ms": {1_000: 3.1, 10_000: 3.1, 100_000: 3.2, 1_000_000: 3.7},
        "a call, 9 a second, CPU ms": {1_000: 12.7, 10_000: 13.5, 100_000: 19.5, 1_000_000: 35.2},
        "a policy change, ms": {1_000: 16, 10_000: 17, 100_000: 26, 1_000_000: 103},
    },
    "Rules": {
        "a call of one end user, 16 connections, CPU ms": {0: 2.8, 8: 3.0, 100: 2.9},
        "a call of 1,500 in turn, CPU ms": {8: 2.7, 100: 6.1},
        "a rule more, ms": {8: 65, 100: 451},
    },
    "Models": {
        "first call of a key, CPU ms": {10: 6.6, 100: 9.4, 1_000: 26.7},
        "held for 100 keys, MiB": {10: 0.7, 100: 3.7, 1_000: 34},
        "a warm call, CPU ms": {10: 3.4, 100: 4.2, 1_000: 4.0},
    },
    "Keys": {"first page of the list, ms": {1_000: 9}},
    "Members": {"a call, CPU ms": {100_000: 5.4}},
    "Organisations": {"the hourly job, ms": {100: 200, 1_000: 1_720}},
    "Ledger": {
        "first page, ms": {10_000: 10, 100_000: 11, 1_000_000: 12},
        "a page 80 days back, ms": {10_000: 13, 100_000: 20, 1_000_000: 82},
        "of one key, ms": {10_000: 11, 100_000: 37, 1_000_000: 39},
        "a filter without a match, ms": {10_000: 10, 100_000: 35, 1_000_000: 260},
        "usage by day, 90 days, ms": {10_000: 13, 100_000: 71, 1_000_000: 680},
        "a body of the export, s": {10_000: 0.45, 100_000: 5.4, 1_000_000: 123},
        "the export, µs a row": {10_000: 45, 100_000: 54, 1_000_000: 123},
        "a new key, ms": {10_000: 8, 100_000: 7, 1_000_000: 7},
    },
    "Audit log": {
        "first page, ms": {10_000: 27, 100_000: 27, 1_000_000: 11},
        "a target without a match, ms": {10_000: 18, 100_000: 22, 1_000_000: 170},
        "the export, µs a row": {10_000: 51, 100_000: 38},
    },
    "Open streams": {"CPU ms a stream": {200: 31}, "until the last byte, p99, s": {200: 5.8}},
    "Body size": {"CPU ms a call": {1: 10, 100: 16, 1_000: 44, 4_000: 164, 8_000: 300}},
}


@dataclass(frozen=True)
class Measured:
    """A dimension's figures; and why it ended before its time, where it did."""

    dimension: Dimension
    figures: Sequence[Figure]
    failed: str | None = None


def growth_section(measured: Sequence[Measured], load: str, *, quick: bool) -> str:
    """Return the section of the page."""
    return TEXT.format(
        heading=HEADING,
        quick=" --quick" if quick else "",
        load=load,
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        summary=_summary(measured),
        dimensions="\n\n".join(map(_dimension, measured)),
    )


def put_section(page: str, section: str) -> str:
    """Return the page with the section in place of its last one, or at its end."""
    kept = section_of(page)
    return page.replace(kept, section) if kept else f"{page.rstrip()}\n\n{section}"


def section_of(page: str) -> str:
    """Return the page's section, or nothing."""
    found = re.search(rf"^{HEADING}$.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    return found[0] if found else ""


def kept_section(page: Path) -> str:
    """Return the section of a file that is about to be written anew, so that it stays."""
    return section_of(page.read_text(encoding="utf-8")) if page.exists() else ""


def _summary(measured: Sequence[Measured]) -> str:
    """Return a line for each dimension: its reach, its main figure with the law, and the rows that a call reads."""
    rows = []
    for one in measured:
        sizes = sorted({figure.size for figure in one.figures})
        if sizes:
            main = _values(one.figures, one.dimension.main)
            law = law_of(main).name if main else ""
            reach = f"{sizes[0]:,} … {sizes[-1]:,}"
            rows.append([one.dimension.about, reach, one.dimension.main, _span(main), law]
                        + [_span(_values(one.figures, name)) for name in ROWS_A_CALL])  # fmt: skip
    return table(("", "from … to", "figure", "then", "law", "D1 rows a call", "gate rows a call"), rows)


def _values(figures: Sequence[Figure], name: str) -> dict[int, float]:
    return {figure.size: figure.value for figure in figures if figure.name == name}


def _span(values: Mapping[int, float]) -> str:
    return f"{_number(values[min(values)])} … {_number(values[max(values)])}" if values else ""


def _dimension(measured: Measured) -> str:
    dimension, figures = measured.dimension, measured.figures
    sizes = sorted({figure.size for figure in figures})
    rows = []
    for name in dict.fromkeys(figure.name for figure in figures):
        values = _values(figures, name)
        before = BEFORE.get(dimension.name, {}).get(name, {})
        law = law_of(values)
        more = f", {_number(law.per_thousand)} a thousand" if law.per_thousand is not None else ""
        rows.append([name, *(_cell(values.get(size), before.get(size)) for size in sizes), law.name + more])
    columns = (dimension.about, *(f"{size:,}" for size in sizes), "law")
    ended = f"\n\nIt ended there: {measured.failed}" if measured.failed else ""
    return f"### {dimension.name}\n\n{table(columns, rows)}{ended}"


def _cell(value: float | None, before: float | None) -> str:
    if value is None:
        return ""
    return _number(value) + (f" ({_number(before)})" if before is not None else "")


def _number(value: float) -> str:
    if value >= THREE_DIGITS:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"
