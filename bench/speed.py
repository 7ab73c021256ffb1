"""How fast: every contestant gets every case under every load, in several rounds, so that noise meets all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

from bench.cases import APART, HEADGATE, JSON, PATH, PEER_CASES, Case, Contestant
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
RESTED_CASES = (JSON, APART)
# V8 compiles what runs hot again, and better, for some seconds: until then a call costs up to twice as much.
WARM_SLICE_MS, WARM_MOST = 400, 14
WARM_ALIKE = 0.05
ENVELOPE = 4  # events of a stream that hold no text


@dataclass(frozen=True)
class Cell:
    """One case under one load: of each contestant, by name, the median of the rounds.

    `noise` is how far Headgate's rates lie apart, from the slowest round to the fastest, as a share of their median.
    """

    case: Case
    load: Load
    results: Mapping[str, Result]
    noise: float


@dataclass(frozen=True)
class Effort:
    """How long to measure: so many rounds of so many milliseconds for each contestant, case and load.

    Before that each is loaded for `warm_up` milliseconds, and whoever runs on a V8 or a JIT first at 16 connections,
    for `settling` milliseconds at least.
    """

    rounds: int
    milliseconds: int
    warm_up: int
    settling: int


def measure(
    generator: LoadGenerator, contestants: Sequence[Contestant], cases: Sequence[Case], effort: Effort
) -> Iterator[Cell]:
    """Yield a cell for each case and load, when all rounds are done. Raises ToolError at the first wrong answer."""

    def run(case: Case, load: Load, contestant: Contestant, milliseconds: int, *, warm: bool = False) -> Result:
        job = _job(case, load, contestant, milliseconds)
        return with_cpu(partial(generator.run, job), contestant.cpu_seconds, 0 if warm else contestant.rest)

    groups = _groups(contestants, cases)
    for case, load, group in groups:
        for contestant in group:
            if load is SIXTEEN and contestant.cpu_seconds:
                settle(partial(run, case, load, contestant, warm=True), effort)
            run(case, load, contestant, effort.warm_up, warm=True)
    rounds = [
        {
            (case.name, load.name, contestant.name): run(case, load, contestant, effort.milliseconds)
            for case, load, group in groups
            for contestant in rotated(group, number)
        }
        for number in range(effort.rounds)
    ]
    for case, load, group in groups:
        found = {one.name: [each[case.name, load.name, one.name] for each in rounds] for one in group}
        results = {name: median_of(each) for name, each in found.items()}
        yield Cell(case, load, results, noise_of(found[HEADGATE]))


def _groups(
    contestants: Sequence[Contestant], cases: Sequence[Case]
) -> Sequence[tuple[Case, Load, Sequence[Contestant]]]:
    """Return who gets which case under which load."""
    return [
        (case, load, [each for each in contestants if not each.peer or (case in PEER_CASES and load is not RESTED)])
        for case in cases
        for load in (ONE, *((RESTED,) if case in RESTED_CASES else ()), SIXTEEN)
    ]


def settle(run: Callable[[int], Result], effort: Effort) -> None:
    """Load in slices until two in a row cost the same processor time, for so long at least, and not for ever.

    `run` takes a slice's milliseconds.
    """
    before = run(WARM_SLICE_MS)
    for number in range(2, WARM_MOST + 1):
        result = run(WARM_SLICE_MS)
        alike = abs(result.cpu_ms - before.cpu_ms) <= WARM_ALIKE * before.cpu_ms
        if alike and number * WARM_SLICE_MS >= effort.settling:
            return
        before = result


def with_cpu(load: Callable[[], Result], cpu_seconds: Callable[[], float] | None, rest: float = 0.0) -> Result:
    """Return the result with the processor time of one request, what is done behind its answer included."""
    before = cpu_seconds() if cpu_seconds else 0.0
    result = load()
    time.sleep(rest)
    return replace(result, cpu_ms=(cpu_seconds() - before) * 1000 / result.requests if cpu_seconds else 0.0)


def rotated(group: Sequence[Contestant], number: int) -> Sequence[Contestant]:
    """Return them with another one in front in each round: who comes after whom is nobody's advantage."""
    first = number % len(group)
    return (*group[first:], *group[:first])


def noise_of(rounds: Sequence[Result]) -> float:
    """Return how far the rates lie apart, from the slowest round to the fastest, as a share of their median."""
    rates = [each.rate for each in rounds]
    return (max(rates) - min(rates)) / median(rates)


def _job(case: Case, load: Load, contestant: Contestant, milliseconds: int) -> Job:
    streamed = case.expected.events is not None
    return Job(
        port=contestant.port,
        path=PATH,
        key=contestant.key,
        body=case.body,
        connections=load.connections,
        milliseconds=milliseconds,
        requests=None,
        pause=load.pause,
        expected=replace(case.expected, slack=ENVELOPE if contestant.peer and streamed else 0),
        headers=contestant.headers,
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
