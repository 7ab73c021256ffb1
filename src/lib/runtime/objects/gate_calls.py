"""Calls to the gates: what may be called, and what a failure means to who waits for an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pyodide.ffi import JsException

from lib.kernel import failures
from lib.kernel.errors import Unavailable
from lib.kernel.failures import Failure
from lib.runtime.objects import object_calls
from lib.runtime.objects.object_calls import Method, is_set

OVERLOADED_SECONDS = 2


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
        method = METHODS[name]
        try:
            return await object_calls.call(lambda: self._stub(org_id), method, name, *arguments)
        except JsException as error:
            raise _unavailable(error) from None
        except TimeoutError:
            failures.note(Failure.GATE_UNREACHABLE, f"no answer within {method.most_ms / 1000:.0f} s")
            raise unavailable() from None

    def _stub(self, org_id: str) -> Any:
        _, _, region = org_id.partition("@")
        # The gate of a region stays near those who call there.
        return self._namespace.getByName(org_id, region) if region else self._namespace.getByName(org_id)


def _unavailable(error: JsException) -> Unavailable:
    failures.note(Failure.GATE_UNREACHABLE, str(error.message))
    if is_set(error, "overloaded"):
        return Unavailable("The gate has too much to do. Try again.", code=CODE, retry_after_seconds=OVERLOADED_SECONDS)
    if is_set(error, "remote") or is_set(error, "durableObjectReset"):
        return GateBroke(MESSAGE, code=CODE)
    return unavailable()


CODE, MESSAGE = "gate_unavailable", "The gate can't be reached. Try again."


def unavailable() -> Unavailable:
    """Return what a request ends with whose gate has not answered."""
    return Unavailable(MESSAGE, code=CODE)
