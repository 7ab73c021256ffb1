"""How much Python a call takes in the Worker, by stage and by module: the one figure that no other load changes.

Calls come one after another, each when all that the one before has left to do is done: its settlement goes alone then.
`sys.monitoring` counts, in `bench/python_lines_entry.py`; how many lines a call has on CPython is bounded by a test,
`tests/unit/gateway/test_call_lines.py`.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
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
SESSION = "/session/metadata/"
REST = "Python's own"
# How many calls of functions each stage of a streamed chat under four rules may take, and where it is: a module belongs
# to the longest of these that its path begins with.
STAGES: Mapping[str, tuple[int, Sequence[str]]] = {
    "pipeline": (
        60,
        (
            *("entry", "lib/worker/", "lib/web/", "lib/http/", "lib/runtime/", "lib/access/", "lib/secrets/"),
            *("lib/store/", "lib/audit/", "lib/kernel/", "lib/config", "lib/gateway/callers/", "routes/"),
        ),
    ),
    "validate": (10, ("lib/web/validate", "lib/kernel/json_body")),
    "bound": (25, ("lib/gateway/bounds", "lib/gateway/catalogue", "lib/gateway/call/asking", "lib/gateway/formats/")),
    "open": (
        45,
        (
            *("lib/admission/", "lib/runtime/objects/", "lib/gateway/models", "lib/gateway/model_"),
            *("lib/gateway/call/admitting", "lib/gateway/call/denials"),
            *("lib/gateway/call/gate_client", "lib/gateway/call/refusing", "lib/gateway/call/remembering_gates"),
        ),
    ),
    "send": (20, ("lib/gateway/call/call", "lib/gateway/providers/", "lib/runtime/upstream", "lib/runtime/native")),
    "relay": (
        20,
        (
            *("lib/gateway/streams/", "lib/gateway/call/answer_headers", "lib/gateway/redaction"),
            *("lib/runtime/relay", "lib/runtime/passage", "lib/runtime/streams"),
        ),
    ),
    "settle": (
        20,
        (
            *("lib/gateway/call/settlement", "lib/gateway/call/telling", "lib/gateway/call/plan", "lib/ledger/"),
            *("lib/gateway/formats/openai/chat_answer", "lib/gateway/formats/openai/usage"),
        ),
    ),
    "event loop": (0, ("lib/runtime/event_loop",)),
}
MOST_CALLS, MOST_FILES = 200, 30


@dataclass(frozen=True)
class Kind:
    """A kind of call, of an organisation with the four rules or without."""

    name: str
    case: Case
    rules: bool = False


RULED_STREAM = Kind("stream, four rules", STREAM, rules=True)
KINDS = (Kind("JSON", JSON), Kind("JSON, four rules", JSON, rules=True), RULED_STREAM)


@dataclass(frozen=True)
class Counted:
    """How often, in all calls together, a line ran of each module; and how often a function of it was called."""

    kind: Kind
    lines: Counter[str]
    starts: Counter[str]

    def calls(self, stage: str) -> float:
        """Return how many calls of functions a stage takes in one call to a model."""
        return sum(count for name, count in self.starts.items() if stage_of(name) == stage) / CALLS

    @property
    def files(self) -> int:
        """Return how many modules of ours a call is in, the event loop not counted."""
        return sum(stage_of(name) not in (REST, "event loop") for name in self.starts)


def stage_of(module: str) -> str:
    """Return the stage of a module of ours by its path in src, REST for what is not ours."""
    found = [(len(prefix), stage) for stage, (_, at) in STAGES.items() for prefix in at if module.startswith(prefix)]
    return max(found)[1] if found else REST


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
    """Return the table: all, ours, the stages with their goals, and the modules with most lines in a plain call."""
    every = dict.fromkeys(name for one in counted for name in one.lines)
    ours = [name for name in every if stage_of(name) != REST]
    parts: dict[str, Sequence[str]] = {"all": [*every], "**ours**": ours}
    parts |= {stage: [name for name in ours if stage_of(name) == stage] for stage in STAGES}
    parts |= {f"`{name}`": [name] for name, _ in counted[0].lines.most_common(SHOWN)}
    goals = {stage: f"≤ {most}" for stage, (most, _) in STAGES.items() if most}
    rows = [[part, *(_shown(one, names) for one in counted), goals.get(part, "")] for part, names in parts.items()]
    rows.insert(2, ["files of ours", *(str(one.files) for one in counted), f"≤ {MOST_FILES}"])
    columns = ("lines (calls of functions)", *(one.kind.name for one in counted), f"goal, calls of {RULED_STREAM.name}")
    return table(columns, rows)


def _shown(counted: Counted, names: Sequence[str]) -> str:
    ran, began = (sum(kind[name] for name in names) / CALLS for kind in (counted.lines, counted.starts))
    return f"{ran:,.0f} ({began:,.0f})"
