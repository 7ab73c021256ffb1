"""A server of ours as a child process: the simulated provider, and the edge."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from tools.process import Process
from tools.project import ROOT, ToolError

READY_SECONDS = 30.0


class ChildServer:
    """Runs a command that prints `NAME ready on URL` when it listens; `url` is then its address.

    It must take `--exit-with-stdin` and end when our pipe to it closes, so that it never outlives us.
    """

    def __init__(
        self, name: str, command: Sequence[str], env: Mapping[str, str], on_line: Callable[[str, int], None]
    ) -> None:
        self._name = name
        self._on_line = on_line
        self._ready_line = re.compile(rf"{name} ready on (http://127\.0\.0\.1:\d+)")
        self._ready = threading.Event()
        self.url = ""
        self._process = Process([*command, "--exit-with-stdin"], cwd=ROOT, env=env, on_line=self._line, keep_stdin=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    def _line(self, line: str, stream: int) -> None:
        ready = self._ready_line.search(line)
        if ready:
            self.url = ready[1]
            self._ready.set()
        else:
            self._on_line(f"{self._name}: {line}", stream)

    def wait(self) -> str:
        """Return its address once it listens. Raises ToolError when it does not come up."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._ready.wait(0.05):
            if self._process.exit_code() is not None or time.monotonic() > deadline:
                self.stop()
                raise ToolError(f"{self._name} did not start: see the lines above")
        return self.url

    def stop(self) -> None:
        """End it."""
        self._process.stop(2)
