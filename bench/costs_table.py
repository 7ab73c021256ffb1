"""What a million calls cost as Markdown."""

from __future__ import annotations

from collections.abc import Mapping

from bench.costs import CALLS, PLAN_USD, Rows, costs
from bench.speed_table import table

TEXT = """\
## What a million calls cost a month

By Cloudflare's public prices, for calls that come one by one under four rules, the dearest way: what comes together
shares records, batches and alarms. Rows are counted ({calls} calls, `bench/cost_entry.py`); the processor time is that
of the speed above, the gate's and D1's with it, though Cloudflare bills those otherwise: so it is an upper bound, on
this machine's processor. The gate is taken to be in memory all month, which does not grow with the calls. Beside this
stands what is stored, and what mail and R2 take.

{products}

{kinds}
"""


def costs_section(rows: Rows, cpu: Mapping[str, float]) -> str:
    """Return the section of the page, for calls by name with their processor time in ms."""
    products = [
        [
            f"[{cost.price.name}]({cost.price.page})",
            f"{cost.a_call:.3g}",
            f"{cost.price.included:,.0f}",
            f"${cost.price.usd:g}",
            f"${cost.in_plan:.2f}",
            f"${cost.beyond:.2f}",
        ]
        for cost in costs(rows, next(iter(cpu.values())))
    ]
    kinds = [[name, f"{ms:.2f}", f"${month(rows, ms):.2f}", f"${further(rows, ms):.2f}"] for name, ms in cpu.items()]
    name = next(iter(cpu))
    columns = (
        f"of {name}",
        "a call takes",
        "in the plan",
        "a million beyond",
        "a million calls",
        "were nothing included",
    )
    return TEXT.format(
        calls=CALLS,
        products=table(columns, products),
        kinds=table(("a million calls a month", "CPU ms", "with the plan's $5", "were nothing included"), kinds),
    )


def month(rows: Rows, cpu_ms: float) -> float:
    """Return the dollars of a month with a million such calls, the plan's price with it."""
    return PLAN_USD + sum(cost.in_plan for cost in costs(rows, cpu_ms))


def further(rows: Rows, cpu_ms: float) -> float:
    """Return the dollars of the same where the plan's allowances are used up by something else."""
    return sum(cost.beyond for cost in costs(rows, cpu_ms))
