"""What was aimed at, and what was reached: one row for each target."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench import streams
from bench.admission import Admission
from bench.admission_table import added_ms, kept
from bench.admission_variants import NO_RULES, RULED, WITHOUT
from bench.cases import APART, APART_USAGE, CHUNKS, HEADGATE, JSON, MANY, MANY_CHUNKS, MANY_USAGE, PASSTHROUGH
from bench.cold_start import ColdStart
from bench.peers import LITELLM_NAME, PORTKEY_NAME
from bench.python_lines import MOST_CALLS, MOST_FILES, RULED_STREAM, STAGES, Counted
from bench.speed import ONE, SIXTEEN, Cell
from bench.speed_table import added, find, table
from lib.http.memory import STREAM_BYTES

_DIGITS = {"ms": 2, "MiB": 0, "KiB": 1, "s": 2}
# What the pass-through took on the machine for which the targets in milliseconds were set (2026-11-30, quiet): another
# machine is slower or faster, but not by so much one beside the other.
THEN_JSON_MS, THEN_APART_MS, THEN_EVENT_MS = 0.17, 0.61, 0.009


@dataclass(frozen=True)
class Target:
    """`measured` must be at most `goal`, or at least; it is not a number where it was not measured.

    `passed` is what the pass-through took of the same in the same run, and `then` where the goal was set.
    """

    name: str
    measured: float
    goal: float
    unit: str = ""
    least: bool = False
    passed: float = math.nan
    then: float = math.nan

    @property
    def verdict(self) -> str:
        if math.isnan(self.measured):
            return "not measured"
        return _verdict(self.measured >= self.goal if self.least else self.measured <= self.goal)

    @property
    def times(self) -> Sequence[str]:
        """Return it as a multiple of the pass-through, the goal as one, and whether that is met."""
        times, goal = self.measured / (self.passed or math.nan), self.goal / self.then
        measured = "" if math.isnan(times) else f"{times:.1f} times"
        return (measured, *(("", "") if math.isnan(goal) else (f"≤ {goal:.1f} times", _verdict(times <= goal))))


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "missed"


def event_ms(cells: Sequence[Cell], name: str = HEADGATE, *, usage: bool = False) -> float:
    """Return the processor time of one event more, at 16 connections."""
    many, few = (MANY_USAGE, APART_USAGE) if usage else (MANY, APART)
    more = cpu_ms(find(cells, many, SIXTEEN), name) - cpu_ms(find(cells, few, SIXTEEN), name)
    return more / (MANY_CHUNKS - CHUNKS)


def cpu_ms(cell: Cell, name: str = HEADGATE) -> float:
    return cell.results[name].cpu_ms


def most_added(cells: Sequence[Cell], name: str = HEADGATE) -> float:
    """Return the most that is added to the first byte at one connection, of all kinds of answers."""
    return max(added(cell, name) for cell in cells if cell.load is ONE)


def speed_targets(cells: Sequence[Cell]) -> Iterator[Target]:
    apart, whole = find(cells, APART, SIXTEEN), find(cells, JSON, SIXTEEN)
    passed = cpu_ms(apart, PASSTHROUGH)
    name = "events apart, no usage, at 16: CPU a call"
    yield Target(name, cpu_ms(apart), 3.6, "ms", passed=passed, then=THEN_APART_MS)
    passed = event_ms(cells, PASSTHROUGH)
    yield Target("a further event", event_ms(cells), 0.035, "ms", passed=passed, then=THEN_EVENT_MS)
    yield from (_times(apart, name, goal) for name, goal in ((LITELLM_NAME, 13), (PORTKEY_NAME, 0.65)))
    passed = cpu_ms(whole, PASSTHROUGH)
    yield Target("JSON, at 16: CPU a call", cpu_ms(whole), 1.2, "ms", passed=passed, then=THEN_JSON_MS)
    yield from (_times(whole, name, goal) for name, goal in ((LITELLM_NAME, 6.5), (PORTKEY_NAME, 0.65)))
    name = "first byte added at one connection, the most of all kinds"
    yield Target(name, most_added(cells), 2.0, "ms", passed=most_added(cells, PASSTHROUGH))


def admission_targets(found: Admission) -> Iterator[Target]:
    yield Target("four rules, at one connection: added to no admission", added_ms(found, RULED), 1.0, "ms")
    yield Target("the same, added to a gate without rules", added_ms(found, RULED, NO_RULES), 1.0, "ms")
    yield Target("four rules, at 16: the rate that is kept", kept(found, RULED, WITHOUT), 0.75, least=True)


def streams_targets(found: streams.Streams) -> Iterator[Target]:
    # What the provider and the clients make late themselves is not Headgate's: the pass-through has it too.
    passed = next(each.p99 for each in found.late if each.name == PASSTHROUGH)
    by_headgate = [each for each in found.late if each.name.startswith(HEADGATE)]
    long, held = found.long, found.held
    name = f"{long[0].streams} streams of {long[0].events:,} events at once: memory added"
    yield Target(name, max(each.added for each in long), 32, "MiB")
    name = f"{by_headgate[0].streams} streams, an event every {streams.GAP_MS} ms: late, p99"
    yield Target(name, max(each.p99 for each in by_headgate), 15, "ms", passed=passed)
    lost = sum(each.refused + each.failed + each.lost for each in by_headgate)
    yield Target("of these refused, failed, or without an event", lost, 0)
    yield Target(f"{held.streams:,} open streams: memory of the isolate", held.whole, 96, "MiB")
    yield Target("of these refused", held.refused, 0)
    yield Target("one of them, as STREAM_BYTES says", held.stream_kib, STREAM_BYTES / 1024, "KiB")


def stages_targets(found: Sequence[Counted]) -> Iterator[Target]:
    """By the calls of functions, which are the same on any machine."""
    one = next(each for each in found if each.kind is RULED_STREAM)
    with_goal = [(stage, goal) for stage, (goal, _) in STAGES.items() if goal]
    yield Target(f"{one.kind.name}: calls", sum(one.calls(stage) for stage, _ in with_goal), MOST_CALLS)
    yield Target("of its files", one.files, MOST_FILES)
    for stage, goal in with_goal:
        yield Target(f"its calls in {stage}", one.calls(stage), goal)


def cold_targets(found: ColdStart) -> Iterator[Target]:
    yield Target("the snapshot", found.snapshot_mib, 52, "MiB")
    yield Target("first answer from it", found.with_snapshot, 0.42, "s")


def targets_table(targets: Sequence[Target]) -> str:
    rows = []
    for one in targets:
        sign = "≥" if one.least else "≤"
        measured = "" if math.isnan(one.measured) else _figure(one)
        rows.append([one.name, measured, f"{sign} {one.goal:g} {one.unit}".rstrip(), one.verdict, *one.times])
    return table(("", "measured", "target", "", f"÷ {PASSTHROUGH}", "target", ""), rows)


def _times(cell: Cell, name: str, goal: float) -> Target:
    peer = cell.results.get(name)
    ratio = cell.results[HEADGATE].rate / peer.rate if peer else math.nan
    return Target(f"{cell.case.name}, at 16: requests a second ÷ {name}", ratio, goal, least=True)


def _figure(one: Target) -> str:
    small = one.unit == "ms" and one.goal < 0.1
    digits = 3 if small else _DIGITS.get(one.unit, 2 if one.least else 0)
    return f"{one.measured:.{digits}f} {one.unit}".rstrip()
