"""The load generator (load.ts) as a child process: one job in, one result out."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any, Self

from tools import node
from tools.process import tie
from tools.project import ROOT, ToolError


@dataclass(frozen=True)
class Expected:
    """What every answer must be; anything else fails the run.

    A stream may have `slack` events more or less. `leave` resets the connection, `at_first_byte` of the body or
    `while_waiting` for it.
    """

    status: int = 200
    events: int | None = None
    slack: int = 0
    leave: str | None = None


@dataclass(frozen=True)
class Job:
    """One measurement: so many connections, for so many milliseconds or (where set) requests. `pause` is in ms.

    Without a `key` no authorization is sent. Where there are `bodies`, they are dealt out to the connections in place
    of `body`, and each sends its own in turn. `carried` names a text of the answer's `data` that the connection's next
    body has in place of the one that was used up.
    """

    port: int
    path: str
    key: str
    body: str
    connections: int
    milliseconds: int
    requests: int | None
    pause: int
    expected: Expected
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    bodies: Sequence[str] = ()
    carried: str | None = None


@dataclass(frozen=True)
class Spread:
    """Milliseconds."""

    p50: float
    p99: float


@dataclass(frozen=True)
class Result:
    """What one job gave. `rate` is requests per second, `cpu_ms` the processor time of who answered one of them."""

    requests: int
    rate: float
    ttfb: Spread
    total: Spread
    cpu_ms: float = 0.0


class NodeChild:
    """A script of this folder in a warm Node process: a line of JSON in, one out. It ends when our pipe closes."""

    def __init__(self, script: str) -> None:
        found = node.find()
        self._child = subprocess.Popen(
            [*tie(), str(found.node), "--no-warnings", str(ROOT / "bench" / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.kill()
        self._child.communicate()

    def ask(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Return its answer, in which an `error` may stand. Raises ToolError."""
        if self._child.stdin is None or self._child.stdout is None:
            raise ToolError("the load generator has no pipes")
        self._child.stdin.write(json.dumps(job) + "\n")
        self._child.stdin.flush()
        answer: dict[str, Any] = json.loads(self._child.stdout.readline() or '{"error": "the load generator died"}')
        return answer


class LoadGenerator(NodeChild):
    """One for the whole run."""

    def __init__(self) -> None:
        super().__init__("load.ts")

    def run(self, job: Job) -> Result:
        """Raises ToolError when an answer is not the expected one."""
        answer = self.ask(asdict(job))
        if "error" in answer:
            raise ToolError(f"port {job.port}, {job.path} {job.body[:120]}: {answer['error']}")
        ttfb, total = Spread(**answer["ttfb"]), Spread(**answer["total"])
        return Result(answer["requests"], answer["rate"], ttfb, total)
