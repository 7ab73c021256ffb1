"""Many streams at once through one isolate: how late events come, what open streams hold, and what a slow reader costs.

The provider is one of our own (stream_source.ts), which writes into each event when it sends it; the clients
(stream_sink.ts) compare that with the same clock. Both are measured too: on two cores they may not be what is late.
"""

from __future__ import annotations

import json
import math
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.cases import DIRECT, HEADGATE, PASSTHROUGH, PATH, Contestant
from bench.cold_start import LOAD_SNAPSHOT
from bench.load import NodeChild
from bench.processor import cpu_seconds
from bench.stage import Stage
from bench.workerd import ask
from tools import node
from tools.child_server import ChildServer
from tools.ports import HOST, free_port
from tools.process import Process
from tools.project import ROOT

MIB = 2**20
GAP_MS, OPEN_GAP_MS = 30, 100
# So many events fill what is kept of a stream's end.
FULL_EVENTS, FULL_TEXT = 80, 250
BURST = 64  # of stream_source.ts
STALLED_SECONDS, STALL_MOST_SECONDS = 0.7, 15.0
LOOK_SECONDS = 0.05
# JavaScript tells what it holds every second.
COLLECT_SECONDS, LOOKS_SECONDS, MARGIN_SECONDS = 0.5, 3.0, 2.0
SERVICE = "headgate"  # in the configuration of workerd
# Columns of /proc/net/tcp: https://docs.kernel.org/networking/proc_net_tcp.html
_LOCAL, _REMOTE, _STATE, _QUEUES = 1, 2, 3, 4
_LISTENING = "0A"
TCP = Path("/proc/net/tcp")


@dataclass(frozen=True)
class Effort:
    """How many streams there are: with late events looked for, open at once, and long ones with so many events each.

    Streams are opened `apart_ms` one after another, and those of the first kind last `seconds` when all are open.
    """

    late: int
    open: int
    long: int
    long_events: int
    apart_ms: int
    seconds: float


WHOLE = Effort(late=500, open=1_000, long=100, long_events=20_000, apart_ms=6, seconds=6)
QUICK = Effort(late=100, open=100, long=20, long_events=2_000, apart_ms=3, seconds=2)


@dataclass(frozen=True)
class Late:
    """So many streams with an event every 30 ms: how long after its sending an event came, in ms.

    Of the streams some were `refused` (503) or failed otherwise, and some `lost` an event. The three loads are
    processor time, as a share of one core: of who is measured, of the provider, of the clients.
    """

    name: str
    streams: int
    refused: int
    failed: int
    lost: int
    p50: float
    p99: float
    most: float
    load: float
    source_load: float
    sink_load: float


@dataclass(frozen=True)
class Held:
    """What the isolate held with so many streams open, less the `refused`; and before, with none. In MiB.

    `scripts` is JavaScript's heap, of which much is code; `objects` what is in use of Python's memory.
    """

    streams: int
    refused: int
    wasm: float
    wasm_before: float
    scripts: float
    scripts_before: float
    objects: float
    objects_before: float

    @property
    def stream_kib(self) -> float:
        """What one of the streams holds, of JavaScript's heap and of Python's."""
        more = self.scripts - self.scripts_before + self.objects - self.objects_before
        return more * 1024 / max(1, self.taken)

    @property
    def taken(self) -> int:
        return self.streams - self.refused

    @property
    def whole(self) -> float:
        """Python's memory, and what the streams hold of JavaScript's."""
        return self.wasm + max(0.0, self.scripts - self.scripts_before)


@dataclass(frozen=True)
class Long:
    """Long streams at once, as fast as they go: what they added at most to the process, and what of it was Python's."""

    name: str
    streams: int
    events: int
    refused: int
    lost: int
    seconds: float
    added: float
    wasm_added: float


@dataclass(frozen=True)
class Slow:
    """A client that does not read: how many bytes stood between provider and client, and whether the provider stopped.

    What waits in the kernel's buffers is not counted.
    """

    name: str
    held_bytes: int
    stopped: bool


@dataclass(frozen=True)
class Streams:
    late: Sequence[Late]
    held: Held
    long: Sequence[Long]
    slow: Sequence[Slow]


@dataclass(frozen=True)
class Clock:
    """A model of stream_source.ts."""

    events: int
    gap_ms: int
    text: int = 16
    hold_ms: int = 0

    def body(self, *, usage: bool) -> str:
        model = f"sim/clock-events{self.events}-gap{self.gap_ms}-text{self.text}-hold{self.hold_ms}"
        asked = {"stream_options": {"include_usage": True}} if usage else {}
        messages = [{"role": "user", "content": "What time is it?"}]
        return json.dumps({"model": model, "stream": True, "messages": messages, **asked})


@dataclass
class Ground:
    """What a measurement needs: a Headgate, the provider behind it, and clients."""

    stage: Stage
    source: ChildServer
    sink: NodeChild
    effort: Effort

    def ways(self) -> list[tuple[str, Contestant, bool]]:
        """Return name, contestant and whether usage is asked for."""
        by_name = {each.name: each for each in self.stage.contestants}
        return [
            (DIRECT, by_name[DIRECT], False),
            (PASSTHROUGH, by_name[PASSTHROUGH], False),
            (f"{HEADGATE}, usage asked for", by_name[HEADGATE], True),
            (f"{HEADGATE}, no usage", by_name[HEADGATE], False),
        ]

    def run(self, who: Contestant, streams: int, clock: Clock, apart_ms: int, *, usage: bool) -> dict[str, float]:
        """Open streams, read them to their end, and return what the sink tells."""
        job = {
            "port": who.port,
            "key": who.key,
            "path": PATH,
            "body": clock.body(usage=usage),
            "streams": streams,
            "apart": apart_ms,
            "events": clock.events,
        }
        return self.sink.ask(job)


def measure(folder: Path, effort: Effort) -> Streams:
    """Measure the modules in `folder`/out. Raises ToolError."""
    found = node.find()
    command = [str(found.node), "--no-warnings", str(ROOT / "bench" / "stream_source.ts")]
    source = ChildServer("source", command, node.environment(found), lambda line, _stream: print(line))
    try:
        url = source.wait()
        with NodeChild("stream_sink.ts") as sink:
            snapshot = LOAD_SNAPSHOT if (folder / LOAD_SNAPSHOT[-1]).exists() else ()
            with Stage(folder, url, *snapshot) as stage:
                late = list(_late(Ground(stage, source, sink, effort)))
            port = free_port()
            inspected = f"--inspector-addr={HOST}:{port}"
            with Stage(folder, url, inspected, main=_add_entry(folder), v8_flags=("--expose-gc",)) as stage:
                ground = Ground(stage, source, sink, effort)
                _warm(ground)
                with _scripts(port) as scripts:
                    held = _held(ground, scripts)
                slow = [_slow(ground, name, who, usage=usage) for name, who, usage in ground.ways()]
                long = [_long(ground, name, usage=usage) for name, who, usage in ground.ways() if who.name == HEADGATE]
    finally:
        source.stop()
    return Streams(late, held, long, slow)


def _warm(ground: Ground) -> None:
    """Let V8 compile what runs hot, and Python's memory grow to what some streams take."""
    for _name, who, usage in ground.ways():
        ground.run(who, min(100, ground.effort.late), Clock(60, GAP_MS), ground.effort.apart_ms, usage=usage)


def _late(ground: Ground) -> Iterator[Late]:
    _warm(ground)
    effort = ground.effort
    clock = Clock(round((effort.late * effort.apart_ms + 1000 * effort.seconds) / GAP_MS), GAP_MS)
    for name, who, usage in ground.ways():
        own, source = ground.stage.cpu_seconds(), cpu_seconds(ground.source.pid)
        started = time.monotonic()
        told = ground.run(who, effort.late, clock, effort.apart_ms, usage=usage)
        seconds = time.monotonic() - started
        # Nothing is told where no stream was open with all others.
        p50, p99, most = (told[what] if told["measured"] else math.nan for what in ("p50", "p99", "most"))
        yield Late(
            name,
            effort.late,
            int(told["refused"]),
            int(told["failed"]),
            int(told["lost"]),
            p50,
            p99,
            most,
            (ground.stage.cpu_seconds() - own) / seconds,
            (cpu_seconds(ground.source.pid) - source) / seconds,
            told["cpu_seconds"] / seconds,
        )


@contextmanager
def _scripts(port: int) -> Iterator[list[int]]:
    """Yield a list that gets what JavaScript holds in the isolate, in bytes, about every second."""
    heard: list[int] = []
    command = [str(node.find().node), "--no-warnings", str(ROOT / "tools" / "heap.ts"), str(port), SERVICE]

    def take(line: str, stream: int) -> None:
        if stream == 1 and line.isdigit():
            heard.append(int(line))

    process = Process(command, cwd=ROOT, env=node.environment(node.find()), on_line=take)
    try:
        yield heard
    finally:
        process.stop(1)


def _add_entry(folder: Path) -> str:
    """Put the entry that collects garbage beside the modules in `folder`/out, and memory_entry.py; return its name."""
    for source, name in (("streams_entry.py", "bench_streams_entry.py"), ("memory_entry.py", "memory_entry.py")):
        shutil.copyfile(Path(__file__).with_name(source), folder / "out" / name)
    return "bench_streams_entry.py"


def _python(ground: Ground) -> tuple[float, float]:
    """Return Python's memory, and what of it is in use, in MiB."""
    told = json.loads(ask(ground.stage.ports.headgate, "/__bench/memory"))
    return told["wasm_bytes"] / MIB, told["heap_bytes"] / MIB


def _held(ground: Ground, scripts: list[int]) -> Held:
    """Open streams, as most clients ask for them, and look when they have sent much and stay open.

    V8 collects when it likes, so it is made to. What JavaScript holds is the median of some looks.
    """
    streams, apart_ms = ground.effort.open, ground.effort.apart_ms
    filling = (streams * apart_ms + FULL_EVENTS * OPEN_GAP_MS) / 1000 + MARGIN_SECONDS
    hold = filling + LOOKS_SECONDS + MARGIN_SECONDS
    clock = Clock(FULL_EVENTS, OPEN_GAP_MS, FULL_TEXT, round(hold * 1000))
    told: dict[str, float] = {}

    def look() -> tuple[float, float, float]:
        heard, until = len(scripts), time.monotonic() + LOOKS_SECONDS
        while time.monotonic() < until:
            ask(ground.stage.ports.headgate, "/__bench/collect")
            time.sleep(COLLECT_SECONDS)
        return *_python(ground), median(scripts[heard:] or [math.nan]) / MIB

    def load() -> None:
        told.update(ground.run(ground.stage.headgate, streams, clock, apart_ms, usage=False))

    wasm_before, objects_before, scripts_before = look()
    with _beside(load):
        time.sleep(filling)
        wasm, objects, held = look()
    return Held(streams, int(told["refused"]), wasm, wasm_before, held, scripts_before, objects, objects_before)


def _long(ground: Ground, name: str, *, usage: bool) -> Long:
    effort, workerd = ground.effort, ground.stage.workerd
    before, wasm_before, started = workerd.resident_mib(), _python(ground)[0], time.monotonic()
    told: dict[str, float] = {}

    def load() -> None:
        told.update(ground.run(ground.stage.headgate, effort.long, Clock(effort.long_events, 0), 0, usage=usage))

    most = before
    with _beside(load) as running:
        while running():
            most = max(most, workerd.resident_mib())
            time.sleep(LOOK_SECONDS)
    seconds = time.monotonic() - started
    counts = (int(told["refused"]), int(told["failed"] + told["lost"]))
    return Long(
        name, effort.long, effort.long_events, *counts, seconds, most - before, _python(ground)[0] - wasm_before
    )


@contextmanager
def _beside(work: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Do something beside the block, which ends when both have; yield whether it still runs."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield thread.is_alive
    thread.join()


def _slow(ground: Ground, name: str, who: Contestant, *, usage: bool) -> Slow:
    """Ask for a stream of 40 MB and read nothing, until the provider sends no more."""
    url = ground.source.url.removeprefix(f"http://{HOST}:")
    ports = {int(url), who.port}

    def stalled() -> tuple[int, bool]:
        """Wait until no more is sent; return how much was, and whether that came to an end in time."""
        last, since, deadline = -1, 0.0, time.monotonic() + STALL_MOST_SECONDS
        while time.monotonic() < deadline:
            sent = int(json.loads(ask(int(url), "/sent"))["sent"])
            if sent != last:
                last, since = sent, time.monotonic()
            elif time.monotonic() - since > STALLED_SECONDS:
                return last, True
            time.sleep(LOOK_SECONDS)
        return last, False

    before, _ = stalled()  # what went before may still be on its way
    body = Clock(200_000, 0).body(usage=usage).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: {HOST}:{who.port}\r\nauthorization: Bearer {who.key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((HOST, who.port)) as client:
        client.sendall(head.encode() + body)
        time.sleep(STALLED_SECONDS)
        last, stopped = stalled()
        held = last - before - queued(ports)
    return Slow(name, max(0, held), stopped)


def queued(ports: set[int]) -> int:
    """Return how many bytes wait in the kernel's buffers of connections from or to these ports."""
    total = 0
    for line in TCP.read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        ends = {int(fields[place].rpartition(":")[2], 16) for place in (_LOCAL, _REMOTE)}
        if fields[_STATE] != _LISTENING and ends & ports:
            total += sum(int(queue, 16) for queue in fields[_QUEUES].split(":"))
    return total
