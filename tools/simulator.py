"""The simulated provider, tools/sim, as a child process."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

from tools import node
from tools.process import Process
from tools.project import ROOT, ToolError

READY = re.compile(r"sim ready on (http://127\.0\.0\.1:\d+)")
READY_SECONDS = 30.0


class Simulator:
    """Starts the simulated provider on a free port; `url` is its address. It ends when our pipe to it closes."""

    def __init__(self, on_line: Callable[[str, int], None]) -> None:
        self._on_line = on_line
        self._ready = threading.Event()
        self.url = ""
        found = node.find()
        self._process = Process(
            [str(found.node), str(ROOT / "tools" / "sim" / "main.ts"), "--port", "0", "--exit-with-stdin"],
            cwd=ROOT,
            env={**node.environment(found), "NODE_NO_WARNINGS": "1"},
            on_line=self._line,
            keep_stdin=True,
        )

    def _line(self, line: str, stream: int) -> None:
        ready = READY.search(line)
        if ready:
            self.url = ready[1]
            self._ready.set()
        else:
            self._on_line(f"sim: {line}", stream)

    def wait(self) -> str:
        """Return its address once it listens. Raises ToolError when it does not come up."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._ready.wait(0.05):
            if self._process.exit_code() is not None or time.monotonic() > deadline:
                self.stop()
                raise ToolError("the simulated provider did not start: see the lines above")
        return self.url

    def stop(self) -> None:
        self._process.stop(2)
