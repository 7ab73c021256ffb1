"""What identity costs: signing in, refreshing and asking who one is; and, behind one constant answer, each credential.

All on one bare workerd, in turns, so that the ways meet the same noise.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from bench import identity_ways
from bench.identity_ways import (
    ANONYMOUS,
    CALLERS,
    ME_COOKIE,
    ME_TOKEN,
    PASSWORD,
    REFRESH,
    SIGN_IN_SESSION,
    SIGN_IN_TOKENS,
    People,
    Way,
)
from bench.load import LoadGenerator, Result
from bench.speed import ONE, SIXTEEN, Effort, Load, median_of, noise_of, settle, with_cpu
from bench.stage import Stage
from tools.seed import seed_statements

FOUR = Load("4 connections", 4)
# Fewer than may come to the guard anew from one network at the same time.
ACCOUNTS = 16
SIGNING = (SIGN_IN_TOKENS, SIGN_IN_SESSION, PASSWORD, REFRESH)
ASKING = (ME_TOKEN, ME_COOKIE)


@dataclass(frozen=True)
class Line:
    """One way under one load: the median of the rounds, and how far their rates lie apart."""

    load: Load
    way: Way
    result: Result
    noise: float


@dataclass(frozen=True)
class CallerLine:
    """The same of a constant answer.

    What it adds to the anonymous one, to the median latency and to the processor time, is compared in each round: in
    ms, the median of the rounds.
    """

    line: Line
    added_ms: float
    added_cpu_ms: float


@dataclass(frozen=True)
class Identity:
    lines: Sequence[Line]
    callers: Sequence[CallerLine]


@contextmanager
def _running(folder: Path, simulator_url: str) -> Iterator[tuple[Stage, People]]:
    """Yield the modules in `folder`/out running with the routes of identity_entry.py, and people that may sign in."""
    own = folder / "identity"
    shutil.copytree(folder / "out", own / "out")
    shutil.copyfile(Path(__file__).with_name("identity_entry.py"), own / "out" / "bench_entry.py")
    secret = secrets.token_hex(32)
    with Stage(own, simulator_url, main="bench_entry.py", more={"HEADGATE_SECRET": secret}) as stage:
        accounts = []
        for number in range(ACCOUNTS):
            account, seed = seed_statements(secret, f"person{number}@headgate.example")
            stage.execute(seed)
            accounts.append(account)
        yield stage, identity_ways.sign_in(stage, accounts)


def measure(folder: Path, simulator_url: str, generator: LoadGenerator, effort: Effort) -> Identity:
    """Return a line for each load and way. Raises ToolError at the first wrong answer."""
    with _running(folder, simulator_url) as (stage, people):

        def run(load: Load, way: Way, milliseconds: int) -> Result:
            job = identity_ways.job(way, load, stage, people, milliseconds)
            return with_cpu(partial(generator.run, job), stage.cpu_seconds)

        combinations = [
            *((load, way) for load in (ONE, FOUR) for way in SIGNING),
            *((load, way) for load in (ONE, SIXTEEN) for way in (*ASKING, *CALLERS)),
        ]
        settle(partial(run, SIXTEEN, ANONYMOUS), effort)
        for combination in combinations:
            run(*combination, effort.warm_up)
        rounds = [[run(*each, effort.milliseconds) for each in combinations] for _ in range(effort.rounds)]
        results = dict(zip(combinations, zip(*rounds, strict=True), strict=True))
    lines = [_line(load, way, each) for (load, way), each in results.items() if way not in CALLERS]
    callers = [
        _caller_line(load, way, each, results[load, ANONYMOUS])
        for (load, way), each in results.items()
        if way in CALLERS
    ]
    return Identity(lines, callers)


def _line(load: Load, way: Way, rounds: Sequence[Result]) -> Line:
    return Line(load, way, median_of(rounds), noise_of(rounds))


def _caller_line(load: Load, way: Way, rounds: Sequence[Result], anonymous: Sequence[Result]) -> CallerLine:
    pairs = list(zip(rounds, anonymous, strict=True))
    return CallerLine(
        _line(load, way, rounds),
        median(result.total.p50 - base.total.p50 for result, base in pairs),
        median(result.cpu_ms - base.cpu_ms for result, base in pairs),
    )
