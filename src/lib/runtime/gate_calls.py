"""One call to a gate: how long it may take, when it is made a second time, and what its failure means.

A gate's object is thrown away at each deployment, when somebody begins to watch the logs, and when its machine ends.
Calls that are under way then fail as `retryable`, and a second one finds the next object. One that is `overloaded` has
too much to do already (https://developers.cloudflare.com/durable-objects/best-practices/error-handling/).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import js
from pyodide.ffi import JsException, create_once_callable

from lib import failures
from lib.failures import Failure
from lib.http.errors import Unavailable

CALL_MS = 10_000  # with its second try
AGAIN_AFTER_MS = 50
OVERLOADED_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Method:
    """What may be called. `repeats`: doing it twice comes to the same as once, and why."""

    repeats: str
    most_ms: int = CALL_MS


_READS = Method("it changes nothing")
METHODS: Mapping[str, Method] = {
    "batch": Method("the gate knows each row by its call's id"),
    "bump": Method("one more new version, which only has accounts read once more"),
    "rules": Method("they are read anew each time"),
    "rule": Method("it takes the place of the rule that has its id"),
    "exchange": Method("each is numbered, and taken once", most_ms=3_000),
    "recall": Method("what has gone back can't go back again", most_ms=1_000),
    "report": Method("what is told is told as a sum", most_ms=3_000),
    "delivered": Method("a record that is gone can't be dropped again"),
    "flush": Method("what is in the store is written once", most_ms=30_000),
    "accounts": _READS,
    "counters": _READS,
    "explain": _READS,
    "places": _READS,
    "refused": _READS,
    "remembered": _READS,
}


class GateBroke(Unavailable):
    """The gate itself has failed, and not the way to it: perhaps at what it was sent."""


class GateCalls:
    """Calls to the gates of a namespace of Durable Objects. All raise Unavailable when there is no answer."""

    def __init__(self, namespace: Any, check: Callable[[], Awaitable[None]] | None = None) -> None:
        self._namespace = namespace
        self._check = check  # raises Unavailable where no gate may be called; until it has passed

    async def call(self, org_id: str, name: str, *arguments: object) -> Any:
        """Return what a gate's method returns. When it can't be reached, nothing passes: a cap that is not checked is
        no cap.
        """
        if self._check is not None:
            await self._check()
            self._check = None
        method, until_ms = METHODS[name], 0.0
        while True:
            began_ms = time.time() * 1000
            until_ms, is_second = until_ms or began_ms + method.most_ms, until_ms > 0
            try:
                # A stub that has failed once fails for good: each try has a new one.
                return await _in_time(getattr(self._stub(org_id), name)(*arguments), until_ms - began_ms)
            except JsException as error:
                if is_second or not method.repeats or not _may_pass(error):
                    raise _unavailable(error) from None
            except TimeoutError:
                failures.note(Failure.GATE_UNREACHABLE, f"no answer within {method.most_ms / 1000:.0f} s")
                raise unavailable() from None
            await js.scheduler.wait(AGAIN_AFTER_MS)

    def _stub(self, org_id: str) -> Any:
        _, _, region = org_id.partition("@")
        # The gate of a region stays near those who call there.
        return self._namespace.getByName(org_id, region) if region else self._namespace.getByName(org_id)


async def _in_time(promised: Awaitable[Any], most_ms: float) -> Any:
    """Await what the platform has promised. Raises TimeoutError.

    The timer is the platform's, and ends with the wait: an isolate may have only so many.
    """
    answer = asyncio.ensure_future(promised)  # the platform's is one already
    gave_up = False

    def give_up() -> None:
        nonlocal gave_up
        gave_up = answer.cancel()

    late = create_once_callable(give_up)
    timer = js.setTimeout(late, most_ms)
    try:
        return await answer
    except asyncio.CancelledError:
        if gave_up:
            raise TimeoutError from None
        raise
    finally:
        js.clearTimeout(timer)
        late.destroy()


def _may_pass(error: JsException) -> bool:
    """Tell whether a second try may help. An object that was thrown away says so, if nothing else."""
    return (_is(error, "retryable") or _is(error, "durableObjectReset")) and not _is(error, "overloaded")


def _unavailable(error: JsException) -> Unavailable:
    failures.note(Failure.GATE_UNREACHABLE, str(error.message))
    if _is(error, "overloaded"):
        return Unavailable("The gate has too much to do. Try again.", code=CODE, retry_after_seconds=OVERLOADED_SECONDS)
    if _is(error, "remote") or _is(error, "durableObjectReset"):
        return GateBroke(MESSAGE, code=CODE)
    return unavailable()


def _is(error: JsException, property_name: str) -> bool:
    """Tell whether the platform has set a property of its error, which not every error has."""
    return getattr(error, property_name, None) is True


CODE, MESSAGE = "gate_unavailable", "The gate can't be reached. Try again."


def unavailable() -> Unavailable:
    """Return what a request ends with whose gate has not answered."""
    return Unavailable(MESSAGE, code=CODE)
