"""The isolate's memory at boot and after many requests of every kind."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cases import PATH, Case
from bench.load import Job, LoadGenerator
from bench.stage import Stage
from bench.workerd import ask

CONNECTIONS = 16
SETTLE_SECONDS = 1.5  # what has been answered is settled and delivered to the store by then
STEPS = (2_000, 4_000, 6_000, 8_000, 10_000)


@dataclass(frozen=True)
class Memory:
    """After so many requests: the WebAssembly.Memory, what malloc has given out of it, and what is alive in it."""

    requests: int
    wasm_bytes: int
    heap_bytes: int
    python_objects: int
    js_references: int
    resident_mib: float


def add_entry(folder: Path) -> str:
    """Put the entry that tells its memory beside the modules in `folder`/out; return its name."""
    name = "bench_entry.py"
    shutil.copyfile(Path(__file__).with_name("memory_entry.py"), folder / "out" / name)
    return name


def measure(generator: LoadGenerator, stage: Stage, cases: Sequence[Case], steps: Sequence[int]) -> list[Memory]:
    """Return the memory at boot and after each of `steps` (requests so far), which the cases share equally."""
    samples = [_sample(stage, 0)]
    done = 0
    for step in steps:
        for index, case in enumerate(cases):
            generator.run(_job(stage, case, len(range(done + index, step, len(cases)))))
        done = step
        time.sleep(SETTLE_SECONDS)
        samples.append(_sample(stage, step))
    return samples


def _sample(stage: Stage, requests: int) -> Memory:
    answer = json.loads(ask(stage.ports.headgate, "/__bench/memory"))
    return Memory(requests=requests, resident_mib=stage.workerd.resident_mib(), **answer)


def _job(stage: Stage, case: Case, requests: int) -> Job:
    return Job(
        port=stage.headgate.port,
        path=PATH,
        key=stage.headgate.key,
        body=case.body,
        connections=CONNECTIONS,
        milliseconds=0,
        requests=requests,
        pause=0,
        expected=case.expected,
    )
