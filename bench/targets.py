"""What was aimed at, and what was reached: one row for each target."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench import streams
from bench.admission import Admission
from bench.admission_table import added_ms, kept
from bench.admission_variants import NO_RULES, RULED, WITHOUT
from bench.cases import APART, APART_USAGE, CHUNKS, HEADGATE, JSON, MANY, MANY_CHUNKS, MANY_USAGE
from bench.cold_start import ColdStart
from bench.peers import LITELLM_NAME, PORTKEY_NAME
from bench.speed import ONE, SIXTEEN, Cell
from bench.speed_table import added, find, table

_DIGITS = {"ms": 2, "MiB": 0, "s": 2}


@dataclass(frozen=True)
class Target:
    """`measured` must be at most `goal`, or at least; it is not a number where it was not measured."""

    name: str
    measured: float
    goal: float
    unit: str = ""
    least: bool = False

    @property
    def verdict(self) -> str:
        if math.isnan(self.measured):
            return "not measured"
        return "met" if (self.measured >= self.goal if self.least else self.measured <= self.goal) else "missed"


def event_ms(cells: Sequence[Cell], *, usage: bool = False) -> float:
    """Return the processor time of one event more, at 16 connections."""
    many, few = (MANY_USAGE, APART_USAGE) if usage else (MANY, APART)
    more = cpu_ms(find(cells, many, SIXTEEN)) - cpu_ms(find(cells, few, SIXTEEN))
    return more / (MANY_CHUNKS - CHUNKS)


def cpu_ms(cell: Cell) -> float:
    return cell.results[HEADGATE].cpu_ms


def most_added(cells: Sequence[Cell]) -> float:
    """Return the most that is added to the first byte at one connection, of all kinds of answers."""
    return max(added(cell) for cell in cells if cell.load is ONE)


def speed_targets(cells: Sequence[Cell]) -> Iterator[Target]:
    apart, whole = find(cells, APART, SIXTEEN), find(cells, JSON, SIXTEEN)
    yield Target("events apart, no usage, at 16: CPU a call", cpu_ms(apart), 3.6, "ms")
    yield Target("a further event", event_ms(cells), 0.035, "ms")
    yield from (_times(apart, name, goal) for name, goal in ((LITELLM_NAME, 13), (PORTKEY_NAME, 0.65)))
    yield Target("JSON, at 16: CPU a call", cpu_ms(whole), 1.2, "ms")
    yield from (_times(whole, name, goal) for name, goal in ((LITELLM_NAME, 6.5), (PORTKEY_NAME, 0.65)))
    yield Target("first byte added at one connection, the most of all kinds", most_added(cells), 2.0, "ms")


def admission_targets(found: Admission) -> Iterator[Target]:
    yield Target("four rules, at one connection: added to no admission", added_ms(found, RULED), 1.0, "ms")
    yield Target("the same, added to a gate without rules", added_ms(found, RULED, NO_RULES), 1.0, "ms")
    yield Target("four rules, at 16: the rate that is kept", kept(found, RULED, WITHOUT), 0.75, least=True)


def streams_targets(found: streams.Streams) -> Iterator[Target]:
    # What the provider and the clients make late themselves is not Headgate's, and stands in the page's own table.
    by_headgate = [each for each in found.late if each.name.startswith(HEADGATE)]
    long, held = found.long, found.held
    name = f"{long[0].streams} streams of {long[0].events:,} events at once: memory added"
    yield Target(name, max(each.added for each in long), 32, "MiB")
    name = f"{by_headgate[0].streams} streams, an event every {streams.GAP_MS} ms: late, p99"
    yield Target(name, max(each.p99 for each in by_headgate), 15, "ms")
    lost = sum(each.refused + each.failed + each.lost for each in by_headgate)
    yield Target("of these refused, failed, or without an event", lost, 0)
    yield Target(f"{held.streams:,} open streams: memory of the isolate", held.whole, 96, "MiB")
    yield Target("of these refused", held.refused, 0)


def cold_targets(found: ColdStart) -> Iterator[Target]:
    yield Target("the snapshot", found.snapshot_mib, 52, "MiB")
    yield Target("first answer from it", found.with_snapshot, 0.42, "s")


def targets_table(targets: Sequence[Target]) -> str:
    rows = []
    for one in targets:
        sign = "≥" if one.least else "≤"
        measured = "" if math.isnan(one.measured) else _figure(one)
        rows.append([one.name, measured, f"{sign} {one.goal:g} {one.unit}".rstrip(), one.verdict])
    return table(("", "measured", "target", ""), rows)


def _times(cell: Cell, name: str, goal: float) -> Target:
    peer = cell.results.get(name)
    ratio = cell.results[HEADGATE].rate / peer.rate if peer else math.nan
    return Target(f"{cell.case.name}, at 16: requests a second ÷ {name}", ratio, goal, least=True)


def _figure(one: Target) -> str:
    small = one.unit == "ms" and one.goal < 0.1
    digits = 3 if small else _DIGITS.get(one.unit, 2 if one.least else 0)
    return f"{one.measured:.{digits}f} {one.unit}".rstrip()
