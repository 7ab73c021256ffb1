"""The way to the guard objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyodide.ffi import JsException

from lib.defence.guard import GuardFailure
from lib.runtime.objects import object_calls
from lib.runtime.objects.object_calls import Method

METHODS: Mapping[str, Method] = {
    "attempt": Method("an object that was thrown away knows of no attempt under way; else it counts twice for a while"),
    "failed": Method("a guess may rather be counted twice than not at all"),
    "succeeded": Method("it is known from there on"),
    "released": Method("an object that was thrown away knows of no attempt under way"),
}


class JsGuardObjects:
    """Implements `lib.defence.guard.Objects` on a namespace of Durable Objects."""

    def __init__(self, namespace: Any) -> None:
        self._namespace = namespace

    async def attempt(self, name: str, network: str) -> int:
        return int(await self._call("attempt", name, network))

    async def failed(self, name: str, network: str) -> None:
        await self._call("failed", name, network)

    async def succeeded(self, name: str, network: str) -> int:
        return int(await self._call("succeeded", name, network))

    async def released(self, name: str, network: str) -> None:
        await self._call("released", name, network)

    async def _call(self, method: str, name: str, network: str) -> Any:
        try:
            return await object_calls.call(lambda: self._namespace.getByName(name), METHODS[method], method, network)
        except JsException as error:
            raise GuardFailure(error.message or "") from None
        except TimeoutError:
            raise GuardFailure("no answer in time") from None
