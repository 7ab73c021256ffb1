"""What the store costs a request: the constant answer, one read and ten, on D1 and on PostgreSQL, in turns."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from bench.load import Expected, Job, LoadGenerator, Result
from bench.processor import cpu_seconds
from bench.speed import ONE, SIXTEEN, Effort, Load, median_of, noise_of, settle, with_cpu
from bench.stage import Stage
from tools.postgres import Postgres

CONSTANT, ONE_READ, MANY_READS = 0, 1, 10  # so many reads in one request, one after another
REQUESTS = (CONSTANT, ONE_READ, MANY_READS)
LOADS = (ONE, SIXTEEN)


@dataclass(frozen=True)
class Backend:
    """Headgate on one store. `server_seconds` tells the processor time of a server beside workerd, if there is one."""

    name: str
    stage: Stage
    server_seconds: Callable[[], float] | None = None


@dataclass(frozen=True)
class Line:
    """One request under one load: the median of the rounds, and how far their rates lie apart."""

    load: Load
    store: str
    reads: int
    result: Result
    server_cpu_ms: float | None
    noise: float


@contextmanager
def backends(folder: Path, simulator_url: str) -> Iterator[list[Backend]]:
    """Yield the modules in `folder`/out running on both stores, each in a workerd of its own.

    Raises ToolError where the set-up has not brought PostgreSQL.
    """
    with ExitStack() as stack:
        postgres = Postgres(folder / "postgres", lambda _line, _stream: None)
        stack.callback(postgres.stop)
        postgres.start()
        running = []
        for name, server in (("D1", None), ("PostgreSQL", postgres)):
            own = folder / name
            shutil.copytree(folder / "out", own / "out")
            stage = stack.enter_context(Stage(own, simulator_url, main=_add_entry(own), postgres=server))
            running.append(Backend(name, stage, _processor(server) if server else None))
        yield running


def measure(generator: LoadGenerator, running: Sequence[Backend], effort: Effort) -> list[Line]:
    """Return a line for each load, store and request. Raises ToolError at the first wrong answer."""

    def run(load: Load, backend: Backend, reads: int, milliseconds: int) -> tuple[Result, float | None]:
        job = _job(load, backend.stage, reads, milliseconds)
        server = backend.server_seconds or (lambda: 0.0)
        server_before = server()
        result = with_cpu(partial(generator.run, job), backend.stage.cpu_seconds)
        used_there = (server() - server_before) * 1000 / result.requests
        return result, used_there if backend.server_seconds else None

    combinations = [(load, backend, reads) for load in LOADS for backend in running for reads in REQUESTS]

    def warm(backend: Backend, milliseconds: int) -> Result:
        return run(SIXTEEN, backend, ONE_READ, milliseconds)[0]

    for backend in running:
        settle(partial(warm, backend), effort)
    for combination in combinations:
        run(*combination, effort.warm_up)
    rounds = [[run(*each, effort.milliseconds) for each in combinations] for _ in range(effort.rounds)]
    return [
        _line(*combination, measured)
        for combination, measured in zip(combinations, zip(*rounds, strict=True), strict=True)
    ]


def _line(load: Load, backend: Backend, reads: int, rounds: Sequence[tuple[Result, float | None]]) -> Line:
    results = [result for result, _ in rounds]
    there = [used for _, used in rounds if used is not None]
    return Line(load, backend.name, reads, median_of(results), median(there) if there else None, noise_of(results))


def _add_entry(folder: Path) -> str:
    """Put the entry with the reading route beside the modules in `folder`/out; return its name."""
    name = "bench_entry.py"
    shutil.copyfile(Path(__file__).with_name("store_entry.py"), folder / "out" / name)
    return name


def _processor(postgres: Postgres) -> Callable[[], float]:
    """Each connection has a process of its own, which counts when it has ended: soon after its request."""
    first_line, _, _ = (postgres.folder / "data" / "postmaster.pid").read_text(encoding="utf-8").partition("\n")
    return lambda: cpu_seconds(int(first_line), with_children=True)


def _job(load: Load, stage: Stage, reads: int, milliseconds: int) -> Job:
    return Job(
        port=stage.headgate.port,
        method="GET",
        path=f"/bench/orgs/{stage.org_id}/{reads}" if reads else "/livez",
        key="none",
        body="",
        connections=load.connections,
        milliseconds=milliseconds,
        requests=None,
        pause=load.pause,
        expected=Expected(),
    )
