"""`Date.now()` and `performance.now()` stand still while the Worker computes: only I/O moves them on.

Python's own clocks read them. A native function is put in their place, so that reading the time costs what it did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any

import js
from pyodide.webloop import WebLoop

from lib.runtime import event_loop

_held: Any = None  # the Date that is told to all who ask
_since_start: Any = None
_running = False
now: Callable[[], float]  # the real time, for the stand-ins


def install() -> None:
    """Stop the clocks, at the first event: before it there are none. Those that follow only move them on."""
    global _held, _since_start, now, _real_since_start
    if _held is None:
        now, _real_since_start = js.Date.now, js.performance.now
        _held, _since_start = js.Date.new(), js.Date.new(0)
        js.Date.now = js.Date.prototype.getTime.bind(_held)
        js.performance.now = js.Date.prototype.getTime.bind(_since_start)
        _follow_events()
    tick()


_real_since_start: Callable[[], float]


def tick() -> None:
    """Some I/O has ended: the time goes on."""
    _held.setTime(now())
    _since_start.setTime(_real_since_start())


def _follow_events() -> None:
    """Tick whenever the platform calls Python: an event, an awaited promise, a timer. Python calling itself is none."""
    soon, run, later = WebLoop.call_soon, event_loop._run_ready, WebLoop.call_later

    def call_soon(loop: Any, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:
        if not _running:
            tick()
        handle: asyncio.Handle = soon(loop, callback, *args, context=context)
        return handle

    def run_ready(loop: Any) -> None:
        global _running  # noqa: PLW0603
        _running = True
        try:
            run(loop)
        finally:
            _running = False

    def call_later(loop: Any, delay: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        def rung() -> None:
            tick()
            callback(*args)

        return later(loop, delay, rung, context=context)

    WebLoop.call_soon, event_loop._run_ready, WebLoop.call_later = call_soon, run_ready, call_later
