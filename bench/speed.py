"""How fast: every contestant gets every case under every load, in several rounds, so that noise meets all alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

from bench.cases import PATH, Case, Contestant, Contestants
from bench.load import Job, LoadGenerator, Result, Spread


@dataclass(frozen=True)
class Load:
    """So many connections at once; each rests for `pause` milliseconds after an answer."""

    name: str
    connections: int
    pause: int = 0


ONE = Load("1 connection", 1)
# What follows an answer is then over before the next request comes, but for the settlement, which rides with it.
RESTED = Load("1 connection, rests 30 ms", 1, 30)
SIXTEEN = Load("16 connections", 16)
LOADS = (ONE, RESTED, SIXTEEN)


@dataclass(frozen=True)
class Cell:
    """One case under one load: each contestant's median of the rounds.

    `noise` is how far Headgate's rates lie apart, from the slowest round to the fastest, as a share of their median.
    """

    case: Case
    load: Load
    direct: Result
    passthrough: Result
    headgate: Result
    noise: float


@dataclass(frozen=True)
class Effort:
    """How long to measure: so many rounds of so many milliseconds for each contestant, case and load."""

    rounds: int
    milliseconds: int
    warm_up: int


def measure(
    generator: LoadGenerator,
    contestants: Contestants,
    cpu_seconds: Callable[[], float],
    cases: Sequence[Case],
    effort: Effort,
) -> Iterator[Cell]:
    """Yield a cell for each case and load, when all rounds are done. Raises ToolError at the first wrong answer.

    `cpu_seconds` tells the processor time that workerd has used so far.
    """

    def run(case: Case, load: Load, contestant: Contestant, milliseconds: int) -> Result:
        before = cpu_seconds()
        result = generator.run(_job(case, load, contestant, milliseconds))
        return replace(result, cpu_ms=(cpu_seconds() - before) * 1000 / result.requests)

    ports = (contestants.direct, contestants.passthrough, contestants.headgate)
    combinations = [(case, load, contestant) for case in cases for load in LOADS for contestant in ports]
    for combination in combinations:
        run(*combination, effort.warm_up)
    rounds = [[run(*each, effort.milliseconds) for each in combinations] for _ in range(effort.rounds)]
    # One sequence of results for each combination; three combinations make a cell.
    results = list(zip(*rounds, strict=True))
    for index in range(0, len(combinations), len(ports)):
        case, load, _ = combinations[index]
        direct, passthrough, headgate = results[index : index + len(ports)]
        yield Cell(case, load, median_of(direct), median_of(passthrough), median_of(headgate), noise_of(headgate))


def noise_of(rounds: Sequence[Result]) -> float:
    """Return how far the rates lie apart, from the slowest round to the fastest, as a share of their median."""
    rates = [each.rate for each in rounds]
    return (max(rates) - min(rates)) / median(rates)


def _job(case: Case, load: Load, contestant: Contestant, milliseconds: int) -> Job:
    return Job(
        port=contestant.port,
        path=PATH,
        key=contestant.key,
        body=case.body,
        connections=load.connections,
        milliseconds=milliseconds,
        requests=None,
        pause=load.pause,
        expected=case.expected,
    )


def median_of(rounds: Sequence[Result]) -> Result:
    """Return each figure's median of the rounds; their requests are added up."""

    def spread(spreads: Sequence[Spread]) -> Spread:
        return Spread(median(each.p50 for each in spreads), median(each.p99 for each in spreads))

    return Result(
        requests=sum(each.requests for each in rounds),
        rate=median(each.rate for each in rounds),
        ttfb=spread([each.ttfb for each in rounds]),
        total=spread([each.total for each in rounds]),
        cpu_ms=median(each.cpu_ms for each in rounds),
    )
