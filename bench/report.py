"""docs/benchmarks.md: the figures, what was measured, and what it means."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.admission import Admission
from bench.admission_table import admission_section
from bench.cases import CHUNKS, MEMORY_CASES
from bench.cold_start import ColdStart
from bench.identity import Identity
from bench.identity_table import identity_section
from bench.memory import CONNECTIONS, GOAL_MIB, LARGE_BODIES, STREAMS, Memory
from bench.speed import Cell, Effort
from bench.speed_table import goal_table, noise_line, speed_table, table
from bench.store import Line
from bench.store_table import store_section
from tools import node
from tools.project import pyproject, toolchain

MOST_SNAPSHOT_MIB = 64
MIB = 2**20

TEXT = """\
# Benchmarks

Written by `make bench`; do not edit. The figures of one run can be compared with each other, not with those of another
machine or day.

- {date} on {machine}
- {versions}
- Load average before the run {load_before}, after it {load_after}. {noise}

## Speed

Everything is on one machine: the simulated provider (Node), bare `workerd`, and the load generator. Three ways lead to
the same answers:

- **direct**: to the provider, with nothing between;
- **pass-through**: through 20 lines of JavaScript (`bench/passthrough.js`) on the same workerd. It shows what any
  gateway on Workers costs before it does something;
- **Headgate**: authentication, validation, the gate's durable record before the call and its settlement after it, usage
  and price, a log line. Its Durable Object and its database are in the same process here, so their work is counted too.

A connection sends its next request when it has the whole answer. With `rests 30 ms` it waits before it does: what
follows an answer is over then, but the processor has gone to sleep and forgotten, so that even a constant answer takes
twice as long. Every answer is checked: its status, the number of events, the end mark. {rounds} rounds of {seconds} s
a line, the contestants in turn; each figure is the median of the rounds. Times are milliseconds. `added` is compared
with direct; `CPU` is the processor time of workerd for one request, which other work on the machine changes least.

- **JSON**: a whole answer of ten tokens.
- **stream, usage asked for**: {chunks} content events. The client asks for the usage event, so the bytes go on
  untouched and Python does not see them before the end. The simulated provider writes them in one piece.
- **stream, no usage**: the same, but the usage event has to be taken out: Python reads each piece.
- **events apart, …**: the same two, with every event a piece of its own, as providers send them.

{speed}

### The goal: at most 3 ms added to the first byte, at one connection

{goal}

For JSON the first byte comes with the last.

{store}
{admission}
{identity}
## Memory

{connections} connections at a time, the requests shared equally by {kinds}.
Python's garbage is collected before each sample. V8 collects its own when it likes, and lets go only then of what it
holds of Python's: so the counts go up and down.

- **WebAssembly.Memory**: all of Python's memory. It never shrinks, and counts towards the isolate's 128 MB.
- **in use**: what `malloc` has given out of it.
- **Python objects** (those that the garbage collector knows) and **JavaScript references** held by Python: what leaks
  would show in.
- **process**: resident memory of workerd with all its isolates, compiled code and V8's heaps.

{memory}

### All at once

{large_bodies} bodies of 8 MB and {streams} streams of 30,000 tokens (half of them untouched), in one isolate. The goal:
under {goal_mib} MiB of its 128 MB.

{at_once}

## Cold start

From the start of the process to the first answer (`/livez`), medians. A deploy makes the snapshot: the memory after all
imports, from which production starts each isolate.

{cold}
"""


@dataclass(frozen=True)
class Findings:
    """All that one run measured. Load averages are those of the last minute."""

    cells: Sequence[Cell]
    effort: Effort
    store: Sequence[Line]
    admission: Admission
    identity: Identity
    memory: Sequence[Memory]
    at_once: Sequence[Memory]
    cold_start: ColdStart
    load_before: float
    load_after: float


def render(found: Findings) -> str:
    """Return the page."""
    return TEXT.format(
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        machine=_machine(),
        versions=_versions(),
        load_before=f"{found.load_before:.1f}",
        load_after=f"{found.load_after:.1f}",
        noise=noise_line([cell.noise for cell in found.cells]),
        rounds=found.effort.rounds,
        seconds=f"{found.effort.milliseconds / 1000:g}",
        chunks=CHUNKS,
        speed=speed_table(found.cells),
        goal=goal_table(found.cells),
        store=store_section(found.store, found.effort),
        admission=admission_section(found.admission, found.effort),
        identity=identity_section(found.identity, found.effort),
        connections=CONNECTIONS,
        kinds=", ".join(f"“{case.name}”" for case in MEMORY_CASES),
        memory=memory_table(found.memory),
        large_bodies=LARGE_BODIES,
        streams=STREAMS,
        goal_mib=GOAL_MIB,
        at_once=memory_table(found.at_once),
        cold=_cold_table(found.cold_start),
    )


def memory_table(samples: Sequence[Memory]) -> str:
    rows = [
        [
            f"{sample.requests:,}" if sample.requests else "at boot",
            f"{sample.wasm_bytes / MIB:.1f} MiB",
            f"{sample.heap_bytes / MIB:.1f} MiB",
            f"{sample.python_objects:,}",
            f"{sample.js_references:,}",
            f"{sample.resident_mib:.0f} MiB",
        ]
        for sample in samples
    ]
    columns = ("requests", "WebAssembly.Memory", "in use", "Python objects", "JavaScript references", "process")
    return table(columns, rows)


def _cold_table(cold: ColdStart) -> str:
    size = f"{cold.snapshot_mib:.1f} MiB (goal: under {MOST_SNAPSHOT_MIB} MiB)"
    rows = [
        ["first answer without the snapshot", f"{cold.without_snapshot:.2f} s"],
        ["first answer from the snapshot", f"{cold.with_snapshot:.2f} s"],
        ["size of the snapshot", size],
    ]
    return table(("", "measured"), rows)


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def _versions() -> str:
    pins = toolchain()
    npm = pins.npm
    found = subprocess.run([node.find().node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    packages = ", ".join(name.replace("==", " ") for name in pyproject()["project"]["dependencies"])
    return f"workerd {pins.workerd}, Pyodide {npm['pyodide']} (Python {pins.worker_python}), {packages}, Node {found}"
