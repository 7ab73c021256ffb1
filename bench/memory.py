"""The isolate's memory at boot and after many requests of every kind."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from bench.cases import PATH, Case
from bench.load import LoadGenerator
from bench.stage import Stage
from bench.workerd import ask
from tools.ports import HOST
from tools.project import ToolError

CONNECTIONS = 16
SETTLE_SECONDS = 1.5  # what has been answered is settled and delivered to the store by then
STEPS = (2_000, 4_000, 6_000, 8_000, 10_000)
# What comes at once: the largest bodies, and streams of 30,000 tokens with and without usage.
LARGE_BODIES, LARGE_BYTES = 2, 8 * 2**20 - 1000
STREAMS = 10
GOAL_MIB = 96  # of the isolate's 128 MB
SECONDS = 120.0
OVERLOADED = 503


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
            generator.run(stage.job(case, len(range(done + index, step, len(cases))), connections=CONNECTIONS))
        done = step
        time.sleep(SETTLE_SECONDS)
        samples.append(_sample(stage, step))
    return samples


def at_once(stage: Stage) -> tuple[Memory, Memory]:
    """Return the memory at boot, and after all of it at once. Raises ToolError where anything of it fails."""
    before = _sample(stage, 0)
    streams = [{"model": "sim/chat-chunks30000", "stream": True}] * (STREAMS // 2)
    streams += [{**stream, "stream_options": {"include_usage": True}} for stream in streams]
    calls = [*[{"model": "sim/chat-lat2000", "pad": "x" * LARGE_BYTES}] * LARGE_BODIES, *streams]
    with ThreadPoolExecutor(len(calls)) as pool:
        answers = list(pool.map(lambda fields: _call(stage, fields), calls))
    if answers != [200] * len(calls):
        raise ToolError(f"not all of it was answered: {answers}")
    return before, _sample(stage, len(calls))


def _call(stage: Stage, fields: Mapping[str, object]) -> int:
    """Make a call, read all of its answer, and return its status. What is told to come again in a second does so."""
    while (status := _answered(stage, fields)) == OVERLOADED:
        time.sleep(1)
    return status


def _answered(stage: Stage, fields: Mapping[str, object]) -> int:
    text = str(fields.get("pad", "Hello"))
    body = {name: value for name, value in fields.items() if name != "pad"}
    body["messages"] = [{"role": "user", "content": text}]
    headers = {"authorization": f"Bearer {stage.headgate.key}", "content-type": "application/json"}
    connection = HTTPConnection(HOST, stage.headgate.port, timeout=SECONDS)
    try:
        connection.request("POST", PATH, json.dumps(body), headers)
        answer = connection.getresponse()
        while answer.read(2**16):
            pass
        return answer.status
    finally:
        connection.close()


def _sample(stage: Stage, requests: int) -> Memory:
    answer = json.loads(ask(stage.ports.headgate, "/__bench/memory"))
    return Memory(requests=requests, resident_mib=stage.workerd.resident_mib(), **answer)
