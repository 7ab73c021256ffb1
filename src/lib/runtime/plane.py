"""Our own ES module, plane.mjs, which the bundle carries beside the Python: imported once an isolate."""

from __future__ import annotations

from typing import Any

import _pyodide_entrypoint_helper

_module: Any = None


async def module() -> Any:
    """Return the module. Only in a request: at the import nothing of JavaScript may be kept."""
    global _module  # noqa: PLW0603 - an isolate has no other place
    if _module is None:
        _module = await _pyodide_entrypoint_helper.doAnImport("lib/runtime/plane.mjs")
    return _module
