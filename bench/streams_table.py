"""Many streams at once as Markdown."""

from __future__ import annotations

import math
import os

from bench.speed_table import table
from bench.streams import BURST, FULL_EVENTS, FULL_TEXT, GAP_MS, OPEN_GAP_MS, Effort, Late, Long, Slow, Streams

KIB = 1024
TEXT = """\
## Many streams at once

Through one isolate. Each event says when the provider sent it, and the client compares that with the same clock.

### How late an event comes

{late_streams} streams with an event every {gap} ms, {rate:,} events a second, opened one after another; compared are
the events that were sent while all were open. `load` is processor time as a share of one core: of workerd, and of the
provider and the clients, which share the machine. Direct is what these two make late by themselves, and pass-through
what workerd does: where the three loads together are near to {cores} cores, the machine is what is late.

{late}

### What open streams hold

{open_streams} streams with an event every {open_gap} ms, of which {refused} were refused: an isolate lets in as many as
its budget for streams allows (`lib/http/memory.py`). They are looked at when each has sent {sent:.0f} KiB, so that what
is kept of its end is full, and stays open; V8 is made to collect its garbage.

{held}

Long streams, as fast as they go, {burst} events in each piece: what they added at most to the process.

{long}

### A reader that does not read

How many bytes of a stream of 40 MB stand between a provider and a client that reads nothing, besides those in the
kernel's buffers; and whether the provider was stopped by that.

{slow}
"""
_LATE = ("way", "refused", "failed", "lost", "p50 ms", "p99 ms", "most ms", "load", "provider", "clients")


def streams_section(found: Streams, effort: Effort) -> str:
    """Return the section of the page."""
    held = found.held
    rows = [
        ["WebAssembly.Memory, MiB", f"{held.wasm_before:.1f}", f"{held.wasm:.1f}"],
        ["JavaScript's heap, MiB", f"{held.scripts_before:.1f}", f"{held.scripts:.1f}"],
        ["of Python's memory in use, MiB", f"{held.objects_before:.1f}", f"{held.objects:.1f}"],
        ["of both for each stream, KiB", "", f"{held.stream_kib:.1f}"],
        ["Python's memory, and what the streams add to JavaScript's, MiB", "", f"{held.whole:.1f}"],
    ]
    return TEXT.format(
        late_streams=effort.late,
        gap=GAP_MS,
        rate=round(effort.late * 1000 / GAP_MS),
        cores=os.cpu_count(),
        late=table(_LATE, [_late(each) for each in found.late]),
        open_streams=f"{held.streams:,}",
        open_gap=OPEN_GAP_MS,
        burst=BURST,
        sent=FULL_EVENTS * FULL_TEXT / KIB,
        refused=held.refused,
        held=table(("", "with none", "while open"), rows),
        long=table(
            ("streams", "refused", "lost", "seconds", "added, MiB", "of it WebAssembly.Memory"),
            [_long(each) for each in found.long],
        ),
        slow=table(("way", "held", "provider"), [_slow(each) for each in found.slow]),
    )


def _late(one: Late) -> list[str]:
    counts = (str(count) for count in (one.refused, one.failed, one.lost))
    times = ("" if math.isnan(each) else f"{each:.1f}" for each in (one.p50, one.p99, one.most))
    loads = (f"{each:.0%}" for each in (one.load, one.source_load, one.sink_load))
    return [one.name, *counts, *times, *loads]


def _long(one: Long) -> list[str]:
    name = f"{one.streams:,} of {one.events:,} events: {one.name}"
    return [name, str(one.refused), str(one.lost), f"{one.seconds:.1f}", f"{one.added:.0f}", f"{one.wasm_added:.0f}"]


def _slow(one: Slow) -> list[str]:
    return [one.name, f"{one.held_bytes / KIB:,.0f} KiB", "stopped" if one.stopped else "went on"]
