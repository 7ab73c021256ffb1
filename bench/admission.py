"""What admission costs a request: the same one without it, with a gate that has no rules, and with rules, in turns.

The parts of the way are cut out one by one (`bench/admission_entry.py`), so that the differences are what each costs.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.admission_variants import RULED, RULES, VARIANTS, Variant
from bench.cases import JSON, PATH
from bench.disk import MEMORY, synced_write_ms
from bench.load import Job, LoadGenerator, Result
from bench.speed import ONE, SIXTEEN, Effort, Load, median_of, noise_of, settle, with_cpu
from bench.stage import Stage
from bench.workerd import ask
from tools.ports import HOST

BENCH = Path(__file__).parent
SETTLE_SECONDS = 0.9  # what has been answered is settled and delivered to the store by then: it belongs to its round
# Before each round, and not counted: the others' rounds have pushed this one's code and data out of all caches.
LEAD_IN_MS = 300
LOADS = (ONE, SIXTEEN)
BATCHES = (1, 10, 100)
CALLERS = (1, 8)
DECISIONS = 2_000


@dataclass(frozen=True)
class Line:
    """One variant under one load: the median of the rounds, and how far their rates lie apart."""

    load: Load
    variant: Variant
    result: Result
    noise: float


@dataclass(frozen=True)
class Decisions:
    """So many openings a batch, with as many settlements, from so many callers at once; decided per second.

    `cpu_ms` is workerd's processor time for one: also for making the batches, and for the delivery to the store.
    """

    size: int
    callers: int
    rate: float
    cpu_ms: float


@dataclass(frozen=True)
class Admission:
    """`synced_write_ms` is what the disk takes for a durable write."""

    lines: Sequence[Line]
    decisions: Sequence[Decisions]
    synced_write_ms: float


@contextmanager
def _stages(folder: Path, simulator_url: str) -> Iterator[dict[Variant, Stage]]:
    """Yield the modules in `folder`/out running as each variant, each in a workerd of its own."""
    with ExitStack() as stack:
        running = {}
        for number, variant in enumerate(VARIANTS):
            if variant.in_memory:
                if not MEMORY.is_dir():
                    continue
                own = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY)))
            else:
                own = folder / f"admission{number}"
            shutil.copytree(folder / "out", own / "out")
            for source, name in (
                ("admission_entry.py", "bench_entry.py"),
                ("decisions_entry.py", "decisions_entry.py"),
            ):
                shutil.copyfile(BENCH / source, own / "out" / name)
            more = {"BENCH_VARIANT": variant.cut}
            running[variant] = stack.enter_context(Stage(own, simulator_url, main="bench_entry.py", more=more))
            if variant.rules:
                set_rules(running[variant])
        yield running


def measure(folder: Path, simulator_url: str, generator: LoadGenerator, effort: Effort) -> Admission:
    """Return a line for each load and variant, and what one gate decides. Raises ToolError at a wrong answer."""
    with _stages(folder, simulator_url) as stages:

        def run(load: Load, variant: Variant, milliseconds: int, rest: float = SETTLE_SECONDS) -> Result:
            job = _job(load, stages[variant], milliseconds)
            return with_cpu(partial(generator.run, job), stages[variant].cpu_seconds, rest)

        def round_of(load: Load, variant: Variant) -> Result:
            run(load, variant, LEAD_IN_MS, 0)
            return run(load, variant, effort.milliseconds)

        combinations = [(load, variant) for load in LOADS for variant in stages]
        for variant in stages:
            settle(partial(run, SIXTEEN, variant, rest=0), effort)
        rounds = [[round_of(*each) for each in combinations] for _ in range(effort.rounds)]
        lines = [
            Line(*combination, median_of(results), noise_of(results))
            for combination, results in zip(combinations, zip(*rounds, strict=True), strict=True)
        ]
        decided = [_decide(stages[RULED], size, callers) for callers in CALLERS for size in BATCHES]
    return Admission(lines, decided, synced_write_ms(folder))


def _decide(stage: Stage, size: int, callers: int) -> Decisions:
    count = max(callers, DECISIONS // size)
    path = f"/__bench/decide/{stage.org_id}/{size}/{count}/{callers}"
    before = stage.workerd.cpu_seconds()
    answer = json.loads(ask(stage.ports.headgate, path))
    time.sleep(SETTLE_SECONDS)
    used = (stage.workerd.cpu_seconds() - before) * 1000 / answer["decisions"]
    return Decisions(size, callers, answer["decisions"] / answer["seconds"], used)


def set_rules(stage: Stage) -> None:
    """Give its organisation the four rules. Raises OSError."""
    for kind, body in RULES:
        request = urllib.request.Request(
            f"http://{HOST}:{stage.ports.headgate}/api/v1/{kind}",
            json.dumps(body).encode(),
            {"authorization": f"Bearer {stage.headgate.key}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30):
            pass


def _job(load: Load, stage: Stage, milliseconds: int) -> Job:
    return Job(
        port=stage.headgate.port,
        path=PATH,
        key=stage.headgate.key,
        body=JSON.body,
        connections=load.connections,
        milliseconds=milliseconds,
        requests=None,
        pause=load.pause,
        expected=JSON.expected,
    )
