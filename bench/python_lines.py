"""How many lines of Python a call takes in the Worker, by module: the one figure that no other load changes.

Calls come one after another, each when all that the one before has left to do is done: its settlement goes alone then.
`sys.monitoring` counts, in `bench/python_lines_entry.py`; how many lines a call has on CPython is bounded by a test,
`tests/unit/gateway/test_call_lines.py`.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.admission import set_rules
from bench.cases import JSON, STREAM, Case
from bench.load import LoadGenerator
from bench.speed_table import table
from bench.stage import Stage
from bench.workerd import ask

ENTRY = "python_lines_entry.py"
WARM, CALLS, PAUSE_MS = 20, 40, 60
SHOWN = 25
OURS, SESSION = ("lib/", "routes/", "entry"), "/session/metadata/"


@dataclass(frozen=True)
class Kind:
    """A kind of call, of an organisation with the four rules or without."""

    name: str
    case: Case
    rules: bool = False


KINDS = (Kind("JSON", JSON), Kind("JSON, four rules", JSON, rules=True), Kind("stream, no usage", STREAM))


@dataclass(frozen=True)
class Counted:
    """How often, in one call, a line ran of each module; and how often a function of it began or went on."""

    kind: Kind
    lines: Counter[str]
    starts: Counter[str]


def measure(folder: Path, simulator_url: str, generator: LoadGenerator) -> list[Counted]:
    """Return what each kind takes. `folder`/out has the modules. Raises ToolError at a wrong answer."""
    shutil.copyfile(Path(__file__).with_name(ENTRY), folder / "out" / ENTRY)
    counted = []
    for kind in KINDS:
        with Stage(folder, simulator_url, main=ENTRY) as stage:
            if kind.rules:
                set_rules(stage)
            generator.run(stage.job(kind.case, WARM, pause=PAUSE_MS))
            ask(stage.ports.headgate, "/__bench/lines/begin")
            generator.run(stage.job(kind.case, CALLS, pause=PAUSE_MS))
            told = json.loads(ask(stage.ports.headgate, "/__bench/lines/end"))
        lines, starts = Counter[str](), Counter[str]()
        for name, (ran, began) in told.items():
            lines[name.removeprefix(SESSION)] += ran
            starts[name.removeprefix(SESSION)] += began
        counted.append(Counted(kind, lines, starts))
    return counted


def lines_section(counted: Sequence[Counted]) -> str:
    """Return the table: all, ours, and the modules with the most lines in a plain call."""
    rows = [
        ["all", *(_shown(one, one.lines) for one in counted)],
        ["**ours**", *(_shown(one, [name for name in one.lines if name.startswith(OURS)]) for one in counted)],
    ]
    for name, _ in counted[0].lines.most_common(SHOWN):
        rows.append([f"`{name}`", *(_shown(one, [name]) for one in counted)])
    return table(("lines (starts of functions) a call", *(one.kind.name for one in counted)), rows)


def _shown(counted: Counted, names: Sequence[str] | Counter[str]) -> str:
    ran, began = (sum(kind[name] for name in names) / CALLS for kind in (counted.lines, counted.starts))
    return f"{ran:,.0f} ({began:,.0f})"
