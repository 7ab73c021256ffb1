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
from bench.cases import APART, CHUNKS, HEADGATE, JSON, MANY, MANY_CHUNKS, MEMORY_CASES
from bench.cold_start import ColdStart
from bench.costs import Rows
from bench.costs_table import costs_section, month
from bench.identity import Identity
from bench.identity_table import identity_section
from bench.memory import CONNECTIONS, GOAL_MIB, LARGE_BODIES, STREAMS, Memory
from bench.peers import PORTKEY_NAME
from bench.peers_table import peers_section
from bench.python_lines import Counted, lines_section
from bench.speed import SIXTEEN, Cell, Effort
from bench.speed_table import find, noise_line, speed_table, table
from bench.store import Line
from bench.store_table import store_section
from bench.streams import Effort as StreamsEffort
from bench.streams import Streams
from bench.streams_table import streams_section
from bench.targets import (
    Target,
    admission_targets,
    cold_targets,
    cpu_ms,
    event_ms,
    most_added,
    speed_targets,
    stages_targets,
    streams_targets,
    targets_table,
)
from tools import node
from tools.project import pyproject, toolchain

MOST_SNAPSHOT_MIB = 64
MIB = 2**20

TEXT = """\
# Benchmarks

{short}

What was aimed at. Targets in milliseconds were set on one machine, so the last columns say the same as multiples of
what the pass-through took in the same run, and there: they hold on any.

{targets}

Written by `make bench{how}`, in {minutes:.0f} minutes; do not edit. The figures of one run can be compared with each
other, not with those of another machine or day.

- {date} on {machine}
- {versions}
- Load average before the run {load_before}, after it {load_after}. {noise}

{peers}## Speed

Everything is on one machine: the simulated provider (Node), bare `workerd`, and the load generator. These lead to the
same answers:

- **direct**: to the provider, with nothing between;
- **pass-through**: through 20 lines of JavaScript (`bench/passthrough.js`) on the same workerd. It shows what any
  gateway on Workers costs before it does something;
- **Headgate**: authentication, validation, the gate's durable record before the call and its settlement after it, usage
  and price, a log line. Its Durable Object and its database are in the same process here, so their work is counted too.

`CPU` is the processor time of the answering process for one request: the first figure, since other work on the machine
changes it least. What Headgate does behind an answer is waited for and counted. A connection sends its next request
when it has the whole answer. With `rests 30 ms` it waits before it does: what follows an answer is over then, but the
processor has gone to sleep and forgotten, so that even a constant answer takes twice as long. Every answer is checked:
its status, the number of events, the end mark. Whoever answers is first loaded at 16 connections until its processor
time stays the same, for {settling:g} s of each request at least: V8 compiles what runs hot anew for some seconds. Then
come {rounds} rounds of {seconds} s a line, the contestants in turn, each round in another order; each figure is the
median of the rounds. Times are milliseconds. `added` is compared with direct.

- **JSON**: a whole answer of ten tokens.
- **stream, usage asked for**: {chunks} content events. The client asks for the usage event, so it is passed on. The
  simulated provider writes them in one piece.
- **stream, no usage**: the same, but the usage event has to be taken out.
- **events apart, …**: the same two, with every event a piece of its own, as providers send them; also {many} events.

{speed}

A further event, by {many} and {chunks} apart at 16 connections: {event:.3f} ms, and {event_usage:.3f} ms where usage is
asked for. For JSON the first byte comes with the last.

{streams}
## Where the time goes

What no other load changes: the Python of one call, by stage and by module, in the Worker. A line takes a third of a
microsecond (quiet, 2026-11-30: half a millisecond for most of 1,570); an await of JavaScript 17, a look at one of its
objects 0.4 to 2. What the gate does behind the answer is in it. The stages of a call are `pipeline` (in, out, who
calls), `validate` (the body), `bound` (what it may take at most), `open` (the gate's decision and its record), `send`,
`relay` and `settle`; that a coroutine goes on is no call of it.

{stages}

Of an event nearly all is workerd's: a loop that does nothing but read and write takes four to five times the
pass-through, which never enters the isolate. Coming back to the isolate with what was read is the larger half of that,
coming back from the write the smaller. So many streams are late where an isolate has no more processor time: what would
help is fewer reads, and [streaming.md](streaming.md#what-was-tried) says why there are none.

{costs}
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

{large_bodies} bodies of 8 MB and {streams_at_once} streams of 30,000 tokens (half of them untouched), in one isolate.
The goal: under {goal_mib} MiB of its 128 MB.

{at_once}

## Cold start

From the start of the process to the first answer (`/livez`), medians. A deploy makes the snapshot: the memory after all
imports, from which production starts each isolate.

{cold}
"""


@dataclass(frozen=True)
class Findings:
    """All that one run measured, in so many seconds. Load averages are those of the last minute."""

    cells: Sequence[Cell]
    effort: Effort
    streams: Streams
    streams_effort: StreamsEffort
    counted: Sequence[Counted]
    rows: Rows
    store: Sequence[Line]
    admission: Admission
    identity: Identity
    memory: Sequence[Memory]
    at_once: Sequence[Memory]
    cold_start: ColdStart
    load_before: float
    load_after: float
    seconds: float


def render(found: Findings) -> str:
    """Return the page."""
    with_peers = any(PORTKEY_NAME in cell.results for cell in found.cells)
    return TEXT.format(
        short=short_table(found),
        targets=targets_table(targets(found)),
        how=" PEERS=1" if with_peers else "",
        minutes=found.seconds / 60,
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        machine=_machine(),
        versions=_versions(),
        load_before=f"{found.load_before:.1f}",
        load_after=f"{found.load_after:.1f}",
        noise=noise_line([cell.noise for cell in found.cells]),
        peers=peers_section(found.cells) if with_peers else "",
        settling=found.effort.settling / 1000,
        rounds=found.effort.rounds,
        seconds=f"{found.effort.milliseconds / 1000:g}",
        chunks=CHUNKS,
        many=MANY_CHUNKS,
        speed=speed_table(found.cells),
        event=event_ms(found.cells),
        event_usage=event_ms(found.cells, usage=True),
        streams=streams_section(found.streams, found.streams_effort),
        stages=lines_section(found.counted),
        costs=costs_section(found.rows, _cpu(found.cells)),
        store=store_section(found.store, found.effort),
        admission=admission_section(found.admission, found.effort),
        identity=identity_section(found.identity, found.effort),
        connections=CONNECTIONS,
        kinds=", ".join(f"“{case.name}”" for case in MEMORY_CASES),
        memory=memory_table(found.memory),
        large_bodies=LARGE_BODIES,
        streams_at_once=STREAMS,
        goal_mib=GOAL_MIB,
        at_once=memory_table(found.at_once),
        cold=_cold_table(found.cold_start),
    )


def short_table(found: Findings) -> str:
    """What a reader wants to know first."""
    cells, held = found.cells, found.streams.held
    json, apart = (find(cells, case, SIXTEEN) for case in (JSON, APART))
    event, rows = event_ms(cells), found.rows
    late = max(each.p99 for each in found.streams.late if each.name.startswith(HEADGATE))
    streams, taken = found.streams.late[0].streams, held.taken
    lines = [
        ["adds to a call, JSON", f"{cpu_ms(json):.2f} ms of processor time"],
        [
            f"adds to a stream of {CHUNKS} events that come apart",
            f"{cpu_ms(apart):.2f} ms; each further event {event:.3f} ms",
        ],
        ["adds to the first byte, of all kinds of answers", f"{most_added(cells):.1f} ms at most, at the median"],
        [
            f"delivers an event late by, with {streams} streams, an event every 30 ms each",
            f"{late:.0f} ms at the 99th percentile",
        ],
        [f"holds with {taken:,} open streams in one isolate", f"{held.whole:.0f} MiB of its 128 MB"],
        ["costs a month, with a million JSON calls", f"${month(rows, cpu_ms(json)):.2f}, the plan's $5 with it"],
    ]
    return table(("Headgate …", ""), lines)


def targets(found: Findings) -> list[Target]:
    return [
        *speed_targets(found.cells),
        *admission_targets(found.admission),
        *streams_targets(found.streams),
        *stages_targets(found.counted),
        *cold_targets(found.cold_start),
    ]


def _cpu(cells: Sequence[Cell]) -> dict[str, float]:
    return {case.name: cpu_ms(find(cells, case, SIXTEEN)) for case in (JSON, APART, MANY)}


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
