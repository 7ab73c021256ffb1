"""The simulated provider, tools/sim, as a child process."""

from __future__ import annotations

from collections.abc import Callable

from tools.node_server import NodeServer


class Simulator(NodeServer):
    """Starts the simulated provider on a free port."""

    def __init__(self, on_line: Callable[[str, int], None]) -> None:
        super().__init__("sim", "tools/sim/main.ts", "--port", "0", on_line=on_line)
