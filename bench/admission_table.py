"""The measurements of admission as Markdown, with how to read them."""

from __future__ import annotations

from collections.abc import Sequence

from bench.admission import Admission, Decisions, Line
from bench.admission_variants import IN_MEMORY, NO_RULES, RULED, WITHOUT, Variant
from bench.speed import ONE, SIXTEEN, Effort, Load
from bench.speed_table import noise_line, share, table

GOAL_SHARE, GOAL_MS = 0.75, 1.0
TEXT = """\
## Admission

What the gate costs a request: a whole JSON answer, each variant on a bare `workerd` of its own, in turns. **Without
admission** every call is let in and nobody is asked (`bench/admission_entry.py`; no deploy has that). With **four
rules** each call passes {rules}: all of them are decided, written and settled, and none refuses.
Between these, parts are cut out: what a line takes more than the one above is what its part costs.

No call is let in before its record is safely on disk, and workerd waits for its disk with everything that it does. The
disk here took {disk:.2f} ms for a synchronous write of 4 KiB. **Data in memory** shows what is left without it.

{rounds} rounds of {seconds} s a line, each after 0.3 s of the same load. Times are milliseconds, to the last
byte. `CPU` is workerd's processor time for one request; it is read after a rest, so that settlement and the delivery to
the store are in it. {noise}

{lines}

{goals}

What one gate decides: a Worker brings batches straight to the Durable Object, each with so many openings, and the
settlements of the batch before. Each decision meets the four rules, and is settled. The caller is in the same thread
here. `CPU` has more in it than the gate's own: the batches are made, and what is settled goes to the store.

{decisions}
"""
_COLUMNS = ("load", "admission", "req/s", "÷ without", "p50", "p99", "added p50", "CPU", "added CPU")


def admission_section(found: Admission, effort: Effort) -> str:
    """Return the section of the page."""
    return TEXT.format(
        rules="a budget of the organisation and one of its key, a limit on requests and one on tokens",
        disk=found.synced_write_ms,
        rounds=effort.rounds,
        seconds=f"{effort.milliseconds / 1000:g}",
        noise=noise_line([line.noise for line in found.lines]),
        lines=table(_COLUMNS, [_row(line, _find(found.lines, line.load, WITHOUT)) for line in found.lines], 2),
        goals=_goals(found),
        decisions=decisions_table(found.decisions),
    )


def kept(found: Admission, variant: Variant, base: Variant = WITHOUT) -> float:
    """Return which share of another's rate it has at 16 connections."""
    return _find(found.lines, SIXTEEN, variant).result.rate / _find(found.lines, SIXTEEN, base).result.rate


def added_ms(found: Admission, variant: Variant, base: Variant = WITHOUT) -> float:
    """Return what it adds to another's median at one connection, in ms."""
    return _find(found.lines, ONE, variant).result.total.p50 - _find(found.lines, ONE, base).result.total.p50


def decisions_table(decisions: Sequence[Decisions]) -> str:
    """One line for each size of a batch and number of callers."""
    rows = [[str(one.size), str(one.callers), f"{one.rate:,.0f}", f"{one.cpu_ms:.2f}"] for one in decisions]
    return table(("openings a batch", "callers at once", "decisions/s", "CPU ms each"), rows, 0)


def _row(line: Line, base: Line) -> list[str]:
    result = line.result
    compared = line is not base
    return [
        line.load.name,
        line.variant.name,
        f"{result.rate:,.0f}",
        share(result.rate / base.result.rate) if compared else "",
        f"{result.total.p50:.2f}",
        f"{result.total.p99:.2f}",
        f"{result.total.p50 - base.result.total.p50:.2f}" if compared else "",
        f"{result.cpu_ms:.2f}",
        f"{result.cpu_ms - base.result.cpu_ms:.2f}" if compared else "",
    ]


def _goals(found: Admission) -> str:
    rows = []
    measured = {line.variant for line in found.lines}
    for variant in [variant for variant in (NO_RULES, RULED, IN_MEMORY) if variant in measured]:
        rate, added = kept(found, variant), added_ms(found, variant)
        rows.append([variant.name, "keeps at 16 connections", share(rate), f"≥ {GOAL_SHARE}", _met(rate >= GOAL_SHARE)])
        rows.append(["", "adds at 1 connection", f"{added:.2f} ms", f"≤ {GOAL_MS} ms", _met(added <= GOAL_MS)])
    return table(("admission", "", "measured", "goal", ""), rows, 2)


def _met(holds: bool) -> str:
    return "met" if holds else "missed"


def _find(lines: Sequence[Line], load: Load, variant: Variant) -> Line:
    return next(line for line in lines if (line.load, line.variant) == (load, variant))
