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
import sys
from asyncio import _get_running_loop
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

import js
from pyodide.ffi import create_once_callable, create_proxy
from pyodide.webloop import WebLoop

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_MS = 2**31 - 1  # the most that setTimeout takes

_at_once = WebLoop.call_later
_ready: list[_Ready] = []
_run_soon: Callable[[], object] | None = None  # made at the first request: no JavaScript may be kept from the import


def install() -> None:
    """Change the loop's methods. Called once, when the Worker is imported."""
    WebLoop.call_soon = _call_soon
    WebLoop.call_later = _call_later
    # Pyodide's count what is under way, for a program that wants to end: a callback, and so a handle, for each future.
    # asyncio's own are written in C, and tell the loop as well of an exception that nobody has asked for.
    WebLoop.create_future = _create_future
    WebLoop.create_task = _create_task
    WebLoop.get_debug = staticmethod(bool)  # asyncio asks it for each of them; False, as Pyodide's own says


def _create_future(loop: Any) -> asyncio.Future[Any]:
    return asyncio.Future(loop=loop)


def _create_task(loop: Any, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    return asyncio.Task(coroutine, loop=loop, **options)


class _Ready(list[Any]):
    """A callback, its arguments and its context. An `asyncio.Handle` is long to make and to run."""

    __slots__ = ()

    def cancel(self) -> None:
        self[:2] = _nothing, ()

    def cancelled(self) -> bool:
        return self[0] is _nothing


def _nothing() -> None:
    """What a cancelled callback comes to."""


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


def _call_soon(loop: Any, callback: Callable[..., object], *args: Any, context: Context | None = None) -> _Ready:
    ready = _Ready((callback, args, copy_context() if context is None else context))
    if not _ready:
        (_run_soon or _first(loop))()
    _ready.append(ready)
    return ready


def _first(loop: Any) -> Callable[[], object]:
    """Return what has all that is ready run when the turn ends."""
    global _run_soon  # noqa: PLW0603 - see there
    # By its name at the time: local runs under production's rules put one before it (tools/production/clock.py).
    _run_soon = partial(js.queueMicrotask, create_proxy(lambda: _run_ready(loop)))
    return _run_soon


def _run_ready(loop: Any) -> None:
    """Run what became ready in this turn. What becomes ready meanwhile gets a microtask of its own."""
    global _ready
    now, _ready = _ready, []  # one is filled while the other is run
    # As the loop does before each callback: the caller may have left another loop's mark, or none.
    if _get_running_loop() is not loop or sys.get_asyncgen_hooks().firstiter is None:
        loop._install_running_loop()
        loop._install_asyncgen_hooks()
    for callback, args, context in now:
        try:
            context.run(callback, *args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - as asyncio's own handles: it is told, and the others go on
            loop.call_exception_handler({"message": "Exception in callback", "exception": error})
