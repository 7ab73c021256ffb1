"""The edge, tools/edge.ts, as a child process: what stands between clients and workerd."""

from __future__ import annotations

from collections.abc import Callable

from tools.node_server import NodeServer


class Edge(NodeServer):
    """Listens on `port` and hands connections to workerd on `worker_port`."""

    def __init__(self, port: int, worker_port: int, on_line: Callable[[str, int], None]) -> None:
        arguments = ("--port", str(port), "--to", str(worker_port))
        super().__init__("edge", "tools/edge.ts", *arguments, on_line=on_line)
