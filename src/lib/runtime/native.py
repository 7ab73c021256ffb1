"""Our own ES modules, which the bundle carries beside the Python. Each is imported once an isolate, and in a request:
when the Worker itself is imported nothing of JavaScript may be kept.
"""

from __future__ import annotations

from typing import Any

import _pyodide_entrypoint_helper


class Plane:
    """What is called of plane.mjs."""

    def __init__(self, module: Any) -> None:
        self.post = module.post


class Edge:
    """What is called of edge.mjs."""

    def __init__(self, module: Any) -> None:
        self.begin, self.respond, self.end = module.begin, module.respond, module.end


_plane: Plane | None = None
_edge: Edge | None = None


async def plane() -> Plane:
    """Return the functions of plane.mjs."""
    global _plane  # noqa: PLW0603 - an isolate has no other place
    if _plane is None:
        _plane = Plane(await _pyodide_entrypoint_helper.doAnImport("lib/runtime/plane.mjs"))
    return _plane


async def edge() -> Edge:
    """Return the functions of edge.mjs."""
    global _edge  # noqa: PLW0603 - as above
    if _edge is None:
        _edge = Edge(await _pyodide_entrypoint_helper.doAnImport("lib/runtime/edge.mjs"))
    return _edge
