"""One call to a Durable Object: how long it may take, and when it is made a second time.

An object is thrown away at each deployment, when somebody begins to watch the logs, and when its machine ends.
Calls that are under way then fail as `retryable`, and a second one finds the next object. One that is `overloaded` has
too much to do already (https://developers.cloudflare.com/durable-objects/best-practices/error-handling/).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import js
from pyodide.ffi import JsException, create_once_callable

CALL_MS = 10_000  # with its second try
AGAIN_AFTER_MS = 50


@dataclass(frozen=True, slots=True)
class Method:
    """What may be called. `repeats`: doing it twice comes to the same as once, and why."""

    repeats: str
    most_ms: int = CALL_MS


async def call(stub: Callable[[], Any], method: Method, name: str, *arguments: object) -> Any:
    """Return what an object's method returns. Raises JsException and TimeoutError.

    `stub` makes a way to the object: one that has failed once fails for good, so each try has a new one.
    """
    until_ms = 0.0
    while True:
        began_ms = time.time() * 1000
        until_ms, is_second = until_ms or began_ms + method.most_ms, until_ms > 0
        try:
            return await _in_time(getattr(stub(), name)(*arguments), until_ms - began_ms)
        except JsException as error:
            if is_second or not method.repeats or not _may_pass(error):
                raise
        await js.scheduler.wait(AGAIN_AFTER_MS)


async def _in_time(promised: Awaitable[Any], most_ms: float) -> Any:
    """Await what the platform has promised. Raises TimeoutError.

    The timer is the platform's, and ends with the wait: an isolate may have only so many.
    """
    answer = asyncio.ensure_future(promised)  # the platform's is one already
    rung: list[bool] = []  # whether the answer was given up for it

    late = create_once_callable(lambda: rung.append(answer.cancel()))
    timer = js.setTimeout(late, most_ms)
    try:
        return await answer
    except asyncio.CancelledError:
        if rung == [True]:
            raise TimeoutError from None
        raise
    finally:
        if not rung:  # to run has destroyed it
            js.clearTimeout(timer)
            late.destroy()


def _may_pass(error: JsException) -> bool:
    """Tell whether a second try may help. An object that was thrown away says so, if nothing else."""
    return (is_set(error, "retryable") or is_set(error, "durableObjectReset")) and not is_set(error, "overloaded")


def is_set(error: JsException, property_name: str) -> bool:
    """Tell whether the platform has set a property of its error, which not every error has."""
    return getattr(error, property_name, None) is True
