"""The way to the guard objects."""

from __future__ import annotations

from typing import Any

from pyodide.ffi import JsException

from lib.identity.guard import GuardFailure


class JsGuardObjects:
    """Implements `lib.identity.guard.Objects` on a namespace of Durable Objects."""

    def __init__(self, namespace: Any) -> None:
        self._namespace = namespace

    async def attempt(self, name: str, network: str) -> int:
        return int(await self._call(self._stub(name).attempt(network)))

    async def failed(self, name: str, network: str) -> None:
        await self._call(self._stub(name).failed(network))

    async def succeeded(self, name: str, network: str) -> int:
        return int(await self._call(self._stub(name).succeeded(network)))

    async def released(self, name: str, network: str) -> None:
        await self._call(self._stub(name).released(network))

    def _stub(self, name: str) -> Any:
        return self._namespace.getByName(name)

    async def _call(self, promise: Any) -> Any:
        try:
            return await promise
        except JsException as error:
            raise GuardFailure(error.message or "") from None
