"""What the isolate holds during a soak: WebAssembly.Memory, which is all of Python's, and JavaScript's part."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from tools import node
from tools.process import Process
from tools.production.rules import MEMORY_MB
from tools.project import ROOT
from tools.soak_calls import Client
from tools.soak_rules import NEAR_A_KILL

MB = 1_000_000
PATH = "/__production/memory"
LOOK_SECONDS = 1.0
# Nothing presses V8 to collect here, as its limit does in production. So JavaScript holds what was the least within so
# many looks: that much was left when it had collected.
WITHIN_LOOKS = 20


@dataclass
class Memory:
    """The highest that was seen, in bytes. One isolate has the Worker and all objects, as may be in production."""

    scripts: deque[int] = field(default_factory=lambda: deque(maxlen=WITHIN_LOOKS))  # the latest
    most: int = 0
    most_wasm: int = 0
    most_script: int = 0
    most_uncollected: int = 0
    looks: int = 0
    _process: Process | None = None

    def start(self, inspector_port: int) -> None:
        """Begin to hear what JavaScript holds. The process ends with the thread that calls this."""
        command = [str(node.find().node), "--no-warnings", str(ROOT / "tools" / "heap.ts"), str(inspector_port)]
        self._process = Process(command, cwd=ROOT, env=node.environment(node.find()), on_line=self._heard)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    async def watch(self, client: Client) -> None:
        """Look again and again, until we are cancelled."""
        while True:
            try:
                self._note((await client.ask("GET", PATH, ""))["wasm_bytes"])
            except NEAR_A_KILL:
                client.close()
            await asyncio.sleep(LOOK_SECONDS)

    def told(self) -> str:
        parts = f"WebAssembly.Memory {self.most_wasm / MB:.0f}, JavaScript {self.most_script / MB:.0f},"
        parts += f" with what was not yet collected {self.most_uncollected / MB:.0f}"
        return f"at most {self.most / MB:.0f} MB in the isolate ({parts}) in {self.looks} looks"

    def wrong(self) -> str:
        """What is wrong with it, in words; empty where nothing is."""
        if not self.looks:
            return "the isolate's memory was never measured"
        return f"{self.told()}, of {MEMORY_MB.figure}" if self.most > MEMORY_MB.figure * MB else ""

    def _heard(self, line: str, stream: int) -> None:
        if stream == 1 and line.isdigit():
            self.scripts.append(int(line))
            self.most_uncollected = max(self.most_uncollected, int(line))

    def _note(self, wasm: int) -> None:
        if not self.scripts:
            return  # only both together are what the isolate holds
        self.looks += 1
        script = min(self.scripts)
        self.most_wasm, self.most_script = max(self.most_wasm, wasm), max(self.most_script, script)
        self.most = max(self.most, wasm + script)
