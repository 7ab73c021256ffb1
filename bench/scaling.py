"""The table of docs/scaling.md: how much leasing refuses too early, and how many messages it takes.

Usage: .venv/bin/python -m bench.scaling [SEEDS]      (20 seeds a line when none is said: about a minute)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.scaling_run import Simulation
from bench.scaling_setting import Outcome, Setting
from bench.speed_table import table
from tools.arguments import parser_of

LEASES = (1, 4, 16, 64, 256)
CHILDREN = (5, 20, 100)
RECALLS = (0, 20)
COLUMNS = (
    *("children", "most of a lease, calls", "recall", "overshoot", "refused too early", "left unspent"),
    *("unavailable", "messages a call"),
)


def row(setting: Setting, seeds: Sequence[int]) -> list[str]:
    """Return the line of one setting, over all seeds."""
    outcomes = [Simulation(setting, seed).run() for seed in seeds]
    calls = setting.calls * len(outcomes)
    cap = setting.cap_calls * ((setting.least_bound + setting.most_bound) * 3 // 8) * len(outcomes)
    return [
        str(setting.children),
        str(setting.lease_calls),
        "yes" if setting.recall else "no",
        str(max(outcome.overshoot for outcome in outcomes)),
        f"{_sum(outcomes, 'early') / calls:.2%}",
        f"{_sum(outcomes, 'unspent') / cap:.2%}",
        f"{_sum(outcomes, 'unavailable') / calls:.2%}",
        f"{_sum(outcomes, 'messages') / calls:.2f}",
    ]


def render(setting: Setting, seeds: Sequence[int]) -> str:
    """Return the table as Markdown."""
    settings = [
        replace(setting, children=children, lease_calls=lease, recall=recall)
        for children in CHILDREN
        for recall in RECALLS
        for lease in LEASES
    ]
    return table(COLUMNS, [row(each, seeds) for each in settings], 0)


def _sum(outcomes: Sequence[Outcome], name: str) -> int:
    return sum(int(getattr(outcome, name)) for outcome in outcomes)


if __name__ == "__main__":
    parser = parser_of(__doc__)
    parser.add_argument("seeds", type=int, nargs="?", default=20, help="how many a line")
    print(render(Setting(), range(parser.parse_args().seeds)))
