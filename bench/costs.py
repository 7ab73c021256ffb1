"""What a million calls cost a month: what one call takes of Cloudflare's products, by Cloudflare's prices.

Counted are the rows that the gate and D1 read and write for a call under four rules that comes alone: together calls
share records, batches and alarms, and each takes less. The processor time is what the speed was measured with.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.admission import SETTLE_SECONDS, set_rules
from bench.cases import JSON
from bench.load import LoadGenerator
from bench.stage import Stage
from bench.workerd import ask

MILLION = 1_000_000
PLAN_USD = 5.0
CALLS = 12
# No two calls share a record's way: the gate gathers for half a second.
PAUSE_MS = 700
MONTH_SECONDS = 30 * 24 * 3600
OBJECT_GB = 0.128  # what an object is billed as, whatever it holds


@dataclass(frozen=True)
class Price:
    """Of so many units a month the plan includes `included`; beyond, a million costs `usd`."""

    name: str
    included: float
    usd: float
    page: str


WORKERS = "https://developers.cloudflare.com/workers/platform/pricing/"
OBJECTS = "https://developers.cloudflare.com/durable-objects/platform/pricing/"
D1 = "https://developers.cloudflare.com/d1/platform/pricing/"
REQUESTS = Price("requests of the Worker", 10e6, 0.30, WORKERS)
CPU = Price("its processor time, ms", 30e6, 0.02, WORKERS)
LOGS = Price("events of logs", 20e6, 0.60, WORKERS)
GATE_REQUESTS = Price("requests to the gate", 1e6, 0.15, OBJECTS)
GATE_DURATION = Price("the gate in memory, GB-s", 400e3, 12.50, OBJECTS)
GATE_READ = Price("rows the gate reads", 25e9, 0.001, OBJECTS)
GATE_WRITTEN = Price("rows the gate writes", 50e6, 1.00, OBJECTS)
D1_READ = Price("rows D1 reads", 25e9, 0.001, D1)
D1_WRITTEN = Price("rows D1 writes", 50e6, 1.00, D1)
QUEUE = Price("operations of the queue", 1e6, 0.40, "https://developers.cloudflare.com/queues/platform/pricing/")
KV = Price("reads of KV", 10e6, 0.50, "https://developers.cloudflare.com/kv/platform/pricing/")
# What follows from how a call is made, and no run has to count (docs/architecture.md, docs/deployment.md): the call
# and its record's batch; opening, settlement and alarm; into the queue, out of it and off it; the account in KV, which
# only an isolate that does not know it asks for; the lines of the request, the gate, the queue and the batch.
FIXED = ((REQUESTS, 2.0), (GATE_REQUESTS, 3.0), (QUEUE, 3.0), (KV, 1.0), (LOGS, 4.0))
# A row for each time that an alarm is set, which no statement tells.
ALARMS = 1.0


@dataclass(frozen=True)
class Rows:
    """For one call."""

    gate_read: float
    gate_written: float
    d1_read: float
    d1_written: float


@dataclass(frozen=True)
class Cost:
    """One product: what a call takes of it, and what a million calls a month cost: in the plan, and beyond it."""

    price: Price
    a_call: float

    @property
    def beyond(self) -> float:
        """In dollars, were nothing included."""
        return self.a_call * self.price.usd

    @property
    def in_plan(self) -> float:
        """In dollars, where these are all calls of the month."""
        return max(0.0, self.a_call * MILLION - self.price.included) / MILLION * self.price.usd


def measure(folder: Path, simulator_url: str, generator: LoadGenerator) -> Rows:
    """Count the rows of a call. Raises ToolError."""
    own = folder / "costs"
    shutil.copytree(folder / "out", own / "out")
    shutil.copyfile(Path(__file__).with_name("cost_entry.py"), own / "out" / "bench_entry.py")
    with Stage(own, simulator_url, main="bench_entry.py") as stage:
        set_rules(stage)
        generator.run(stage.job(JSON, 2, pause=PAUSE_MS))
        time.sleep(SETTLE_SECONDS)
        before = _counts(stage)
        generator.run(stage.job(JSON, CALLS, pause=PAUSE_MS))
        time.sleep(SETTLE_SECONDS)
        return Rows(*((after - first) / CALLS for after, first in zip(_counts(stage), before, strict=True)))


def costs(rows: Rows, cpu_ms: float) -> Sequence[Cost]:
    """Return what a call takes of each product. The gate is counted as in memory all month."""
    counted = (
        *((CPU, cpu_ms), (GATE_DURATION, MONTH_SECONDS * OBJECT_GB / MILLION)),
        *((GATE_READ, rows.gate_read), (GATE_WRITTEN, rows.gate_written + ALARMS)),
        *((D1_READ, rows.d1_read), (D1_WRITTEN, rows.d1_written)),
    )
    return [Cost(price, a_call) for price, a_call in (*FIXED, *counted)]


def _counts(stage: Stage) -> tuple[float, ...]:
    gate = json.loads(ask(stage.ports.headgate, "/__bench/gate"))
    return (gate["read"], gate["written"], *(int(ask(stage.ports.d1, path)) for path in ("/rows", "/written")))
