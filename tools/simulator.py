"""The simulated provider, tools/sim, as a child process."""

from __future__ import annotations

from collections.abc import Callable

from tools import node
from tools.child_server import ChildServer
from tools.project import ROOT


class Simulator(ChildServer):
    """Starts the simulated provider on a free port."""

    def __init__(self, on_line: Callable[[str, int], None]) -> None:
        found = node.find()
        command = [str(found.node), str(ROOT / "tools" / "sim" / "main.ts"), "--port", "0"]
        super().__init__("sim", command, {**node.environment(found), "NODE_NO_WARNINGS": "1"}, on_line)
