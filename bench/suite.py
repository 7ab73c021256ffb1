"""What a run measures, in order."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import admission, cold_start, growth, growth_table, identity, memory, speed, store
from bench.admission_table import admission_section
from bench.cases import MEMORY_CASES, QUICK_CASES, SPEED_CASES, Case
from bench.growth_cases import DIMENSIONS
from bench.growth_table import growth_section, kept_section, put_section
from bench.identity_table import identity_section
from bench.load import LoadGenerator
from bench.report import Findings, memory_table, render
from bench.speed import Effort
from bench.speed_table import goal_table, noise_line, speed_table
from bench.stage import ENTRY, Stage, variables
from bench.store_table import store_section
from tools.build import build
from tools.project import ROOT
from tools.setup import set_up
from tools.simulator import Simulator

PAGE = ROOT / "docs" / "benchmarks.md"
WHOLE = Effort(rounds=5, milliseconds=1_000, warm_up=300)
QUICK = Effort(rounds=2, milliseconds=500, warm_up=200)
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


def only_speed(effort: Effort, cases: Sequence[Case]) -> str:
    with built() as (folder, url, generator), Stage(folder, url) as stage:
        cells = list(measure_speed(generator, stage, cases, effort))
    return "\n\n".join([speed_table(cells), goal_table(cells), noise_line([cell.noise for cell in cells])])


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


def whole() -> str:
    set_up(postgres=True)
    load_before = os.getloadavg()[0]
    with built() as (folder, url, generator):
        say("cold starts")
        started = cold_start.measure(folder, ENTRY, variables(url), STARTS)
        say("speed")
        with Stage(folder, url, *cold_start.LOAD_SNAPSHOT) as stage:
            cells = list(measure_speed(generator, stage, SPEED_CASES, WHOLE))
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
    load_after = os.getloadavg()[0]
    return render(
        Findings(cells, WHOLE, lines, admitted, identified, samples, together, started, load_before, load_after)
    )


def only_memory(_effort: Effort) -> str:
    with built() as (folder, url, _), Stage(folder, url, main=memory.add_entry(folder)) as stage:
        return memory_table(memory.at_once(stage))


ONLY: Mapping[str, Callable[[Effort], str]] = {
    "store": only_store,
    "admission": only_admission,
    "identity": only_identity,
    "memory": only_memory,
}


def measure_speed(
    generator: LoadGenerator, stage: Stage, cases: Sequence[Case], effort: Effort
) -> Iterator[speed.Cell]:
    return speed.measure(generator, stage.contestants, stage.workerd.cpu_seconds, cases, effort)


def measure_store(folder: Path, url: str, generator: LoadGenerator, effort: Effort) -> list[store.Line]:
    with store.backends(folder, url) as running:
        return store.measure(generator, running, effort)


def say(what: str) -> None:
    print(f"bench: {what} …", file=sys.stderr)


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
    if chosen.only == "growth":
        print(write_growth(quick=chosen.quick, names=chosen.dimension))
    elif chosen.only in ONLY:
        print(ONLY[chosen.only](QUICK if chosen.quick else WHOLE))
    elif chosen.quick:
        print(only_speed(QUICK, QUICK_CASES))
    elif chosen.only == "speed":
        print(only_speed(WHOLE, SPEED_CASES))
    else:
        page = put_section(whole(), kept) if (kept := kept_section(PAGE)) else whole()
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page, encoding="utf-8")
        print(page)
