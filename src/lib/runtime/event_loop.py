"""Make Python's event loop cheap: what is ready runs in one plain call, as a microtask; and a timer that is cancelled
is gone.

Pyodide's loop hands every single callback to `setTimeout(…, 0)`, in a call that may switch stacks: for each step of a
task, some twenty for one request to a model. Here callbacks that become ready in one turn are kept in a queue, and one
microtask at the turn's end runs them all. That took a sixth of the processor time from a whole answer and a quarter
from a stream; the stack switching is most of it.

It also keeps requests apart more strictly than timers do: a microtask runs in the turn, and so in the request, that
asked for it.

What it costs: a callback that runs here can't suspend its own stack (`pyodide.ffi.run_sync`, blocking sockets). Code
that must goes through a timer, `loop.call_later(0, …)`: timers stay as they are.

But for one thing: Pyodide only marks a cancelled timer, and lets it run out in the platform. Each `asyncio.wait_for`
or `asyncio.timeout` would leave one behind that holds its callback for seconds and wakes the isolate for nothing, and
an invocation may have 10,000 of them. Here they end with what they wait for, whoever has made them.
"""

from __future__ import annotations

import asyncio
import math
from contextvars import Context
from typing import TYPE_CHECKING, Any

import js
from pyodide.ffi import create_once_callable, create_proxy
from pyodide.webloop import WebLoop

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_MS = 2**31 - 1  # the most that setTimeout takes

_at_once = WebLoop.call_later
_ready: list[asyncio.Handle] = []
_run_ready_proxy: Any = None  # made at the first request: nothing of JavaScript may be kept from the import


def install() -> None:
    """Change the loop's `call_soon` and `call_later`. Called once, when the Worker is imported."""
    WebLoop.call_soon = _call_soon
    WebLoop.call_later = _call_later


class _Timer(asyncio.Handle):
    """A callback that the platform's timer runs, once."""

    _once: Any = None
    _number: Any = None

    def start(self, loop: Any, delay: float) -> None:
        def run() -> None:
            self._once = None
            loop._install_running_loop()
            loop._install_asyncgen_hooks()
            self._run()

        self._once = create_once_callable(run, _may_syncify=True)
        self._number = js.setTimeout(self._once, min(delay * 1000, _LONGEST_MS))

    def cancel(self) -> None:
        super().cancel()
        if self._once is not None:
            js.clearTimeout(self._number)
            self._once.destroy()
            self._once = None


def _call_later(
    loop: Any, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
) -> asyncio.Handle:
    if delay <= 0:
        return _at_once(loop, 0, callback, *args, context=context)
    timer = _Timer(callback, args, loop, context)
    if delay != math.inf:
        timer.start(loop, delay)
    return timer


def _call_soon(
    loop: Any, callback: Callable[..., object], *args: Any, context: Context | None = None
) -> asyncio.Handle:
    global _run_ready_proxy  # noqa: PLW0603 - see there
    if _run_ready_proxy is None:
        _run_ready_proxy = create_proxy(lambda: _run_ready(loop))
    handle = asyncio.Handle(callback, args, loop, context)
    if not _ready:
        js.queueMicrotask(_run_ready_proxy)
    _ready.append(handle)
    return handle


def _run_ready(loop: Any) -> None:
    """Run what became ready in this turn. What becomes ready meanwhile gets a microtask of its own."""
    handles = _ready.copy()
    _ready.clear()
    # As the loop does before each callback: the caller may have left another loop's mark, or none.
    loop._install_running_loop()
    loop._install_asyncgen_hooks()
    for handle in handles:
        if not handle.cancelled():
            handle._run()  # reports an exception to the loop's handler, and raises none
