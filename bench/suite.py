"""What a run measures, in order."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isnan
from pathlib import Path

from bench import (
    admission,
    cold_start,
    costs,
    growth,
    growth_table,
    identity,
    memory,
    peers,
    python_lines,
    speed,
    store,
    streams,
)
from bench.admission_table import admission_section
from bench.cases import MEMORY_CASES, QUICK_CASES, SPEED_CASES, Case, Contestant
from bench.costs_table import costs_section
from bench.growth_cases import DIMENSIONS
from bench.growth_table import growth_section, kept_section, put_section
from bench.identity_table import identity_section
from bench.load import LoadGenerator
from bench.peers_table import peers_section, put_readme
from bench.report import Findings, memory_table, render, targets
from bench.speed import Effort
from bench.speed_table import noise_line, speed_table
from bench.stage import ENTRY, Stage, variables
from bench.store_table import store_section
from bench.streams_table import streams_section
from bench.targets import speed_targets, streams_targets, targets_table
from tools.build import build
from tools.project import ROOT
from tools.setup import set_up
from tools.simulator import Simulator

PAGE, README = ROOT / "docs" / "benchmarks.md", ROOT / "README.md"
WHOLE = Effort(rounds=5, milliseconds=500, warm_up=200, settling=2_000)
QUICK = Effort(rounds=2, milliseconds=300, warm_up=100, settling=400)
STARTS = 3


@contextmanager
def built() -> Iterator[tuple[Path, str, LoadGenerator]]:
    """Yield a folder with what a deploy sends, the address of a simulated provider, and a load generator."""
    simulator = Simulator(lambda line, _stream: print(line, file=sys.stderr))
    try:
        with tempfile.TemporaryDirectory() as name, LoadGenerator() as generator:
            build(Path(name))
            yield Path(name), simulator.wait(), generator
    finally:
        simulator.stop()


@contextmanager
def peers_beside(folder: Path, url: str) -> Iterator[Sequence[Contestant]]:
    """Yield the other gateways where PEERS is set, else nobody."""
    if not with_peers():
        yield ()
        return
    peers.bring()
    with peers.running(folder, url) as contestants:
        yield contestants


def with_peers() -> bool:
    return os.environ.get("PEERS", "") not in ("", "0")


def only_speed(effort: Effort, cases: Sequence[Case]) -> str:
    with built() as (folder, url, generator), Stage(folder, url) as stage, peers_beside(folder, url) as others:
        cells = list(speed.measure(generator, (*stage.contestants, *others), cases, effort))
    found = [target for target in speed_targets(cells) if not isnan(target.measured)]
    beside = [peers_section(cells)] if others else []
    noise = noise_line([cell.noise for cell in cells])
    return "\n\n".join([*beside, speed_table(cells), targets_table(found), noise])


def only_streams(effort: Effort) -> str:
    how = streams.QUICK if effort is QUICK else streams.WHOLE
    with built() as (folder, _url, _generator):
        measured = streams.measure(folder, how)
    return streams_section(measured, how) + "\n" + targets_table(list(streams_targets(measured)))


def only_costs(_effort: Effort) -> str:
    """The rows; the processor time is not measured here."""
    with built() as (folder, url, generator):
        return costs_section(costs.measure(folder, url, generator), {"a call without processor time": 0.0})


def only_store(effort: Effort) -> str:
    set_up(postgres=True)
    with built() as (folder, url, generator):
        return store_section(measure_store(folder, url, generator, effort), effort)


def only_admission(effort: Effort) -> str:
    with built() as (folder, url, generator):
        return admission_section(admission.measure(folder, url, generator, effort), effort)


def only_identity(effort: Effort) -> str:
    with built() as (folder, url, generator):
        return identity_section(identity.measure(folder, url, generator, effort), effort)


def write_growth(*, quick: bool, names: Sequence[str] = ()) -> str:
    """Measure how cost grows, and put the section into the page: a quick one too, since it says that it is one."""
    load_before = os.getloadavg()[0]
    effort = growth.QUICK if quick else growth.WHOLE
    measured = []
    with built() as (folder, url, generator):
        for number, dimension in enumerate(DIMENSIONS):
            if names and dimension.name not in names:
                continue
            say(f"growth: {dimension.name}")
            own = folder / str(number)
            shutil.copytree(folder / "out", own / "out")
            figures: list[growth.Figure] = []
            failed = None
            try:
                with growth.ground(own, url, generator, effort) as ground:
                    for figure in dimension.measure(ground, effort.sizes(*dimension.sizes)):
                        figures.append(figure)
                        say(f"growth: {dimension.name}, {figure.size:,}: {figure.name} {figure.value:.3g}")
            except Exception as error:  # noqa: BLE001 - one that breaks where it hurts must not cost the others
                failed = f"{type(error).__name__}: {error}"
                say(f"growth: {dimension.name}: {failed}")
            measured.append(growth_table.Measured(dimension, figures, failed))
            shutil.rmtree(own)
    section = growth_section(
        measured, f"load average {load_before:.1f} before, {os.getloadavg()[0]:.1f} after", quick=quick
    )
    if not names:
        PAGE.write_text(put_section(PAGE.read_text(encoding="utf-8"), section), encoding="utf-8")
    return section


def whole() -> Findings:
    set_up(postgres=True)
    load_before, began = os.getloadavg()[0], time.monotonic()
    with built() as (folder, url, generator):
        say("cold starts")
        started = cold_start.measure(folder, ENTRY, variables(url), STARTS)
        say("speed")
        with Stage(folder, url, *cold_start.LOAD_SNAPSHOT) as stage, peers_beside(folder, url) as others:
            cells = list(speed.measure(generator, (*stage.contestants, *others), SPEED_CASES, WHOLE))
        say("many streams")
        many = streams.measure(folder, streams.WHOLE)
        say("stages")
        counted = python_lines.measure(folder, url, generator)
        say("costs")
        rows = costs.measure(folder, url, generator)
        say("store")
        lines = measure_store(folder, url, generator, WHOLE)
        say("admission")
        admitted = admission.measure(folder, url, generator, WHOLE)
        say("identity")
        identified = identity.measure(folder, url, generator, WHOLE)
        say("memory")
        with Stage(folder, url, main=memory.add_entry(folder)) as stage:
            samples = memory.measure(generator, stage, MEMORY_CASES, memory.STEPS)
        with Stage(folder, url, main=memory.add_entry(folder)) as stage:
            together = memory.at_once(stage)
    return Findings(
        cells=cells,
        effort=WHOLE,
        streams=many,
        streams_effort=streams.WHOLE,
        counted=counted,
        rows=rows,
        store=lines,
        admission=admitted,
        identity=identified,
        memory=samples,
        at_once=together,
        cold_start=started,
        load_before=load_before,
        load_after=os.getloadavg()[0],
        seconds=time.monotonic() - began,
    )


def write(found: Findings) -> str:
    """Write the page, of which how cost grows stays, and the README's table; return the page."""
    page, kept = render(found), kept_section(PAGE)
    page = put_section(page, kept) if kept else page
    PAGE.write_text(page, encoding="utf-8")
    README.write_text(put_readme(README.read_text(encoding="utf-8"), found.cells), encoding="utf-8")
    return page


def only_lines(_effort: Effort) -> str:
    with built() as (folder, url, generator):
        return python_lines.lines_section(python_lines.measure(folder, url, generator))


def only_memory(_effort: Effort) -> str:
    with built() as (folder, url, _), Stage(folder, url, main=memory.add_entry(folder)) as stage:
        return memory_table(memory.at_once(stage))


ONLY: Mapping[str, Callable[[Effort], str]] = {
    "streams": only_streams,
    "costs": only_costs,
    "store": only_store,
    "admission": only_admission,
    "identity": only_identity,
    "memory": only_memory,
    "lines": only_lines,
}


def measure_store(folder: Path, url: str, generator: LoadGenerator, effort: Effort) -> list[store.Line]:
    with store.backends(folder, url) as running:
        return store.measure(generator, running, effort)


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} bench: {what}", file=sys.stderr)


def run(arguments: Sequence[str], description: str) -> None:
    """Print what was measured; a whole run also writes it. Raises ToolError."""
    parser = ArgumentParser(description=description, formatter_class=RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="fewer, shorter rounds; without --only, of the speed")
    parser.add_argument(
        "--only",
        choices=("speed", *ONLY, "growth"),
        help="measure this part, and print it; only growth is written, too",
    )
    parser.add_argument("--dimension", action="append", default=[], metavar="NAME", help="of growth, only this one")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    if chosen.only == "growth":
        print(write_growth(quick=chosen.quick, names=chosen.dimension))
    elif chosen.only in ONLY:
        print(ONLY[chosen.only](QUICK if chosen.quick else WHOLE))
    elif chosen.quick:
        print(only_speed(QUICK, QUICK_CASES))
    elif chosen.only == "speed":
        print(only_speed(WHOLE, SPEED_CASES))
    else:
        found = whole()
        print(write(found), targets_table(targets(found)), sep="\n")
    say(f"it took {(time.monotonic() - began) / 60:.1f} minutes")
