"""Durable Objects from outside: far away, reset again and again with calls in flight, sometimes overloaded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import js
from pyodide.ffi import JsException, to_js

from tools.production import clock
from tools.production.invocation import INVOCATION, travel
from tools.production.rules import RESET, Settings

OVERLOADED = "Durable Object is overloaded. Too many requests queued."


def reset_error() -> Any:
    """Return what a caller gets whose object was reset: nobody knows whether the call did its work."""
    error = js.Error.new(RESET)
    error.retryable = error.remote = error.durableObjectReset = True
    return error


def overloaded_error() -> Any:
    """Return what a caller gets whose object has too much to do. It is not to be asked again at once."""
    error = js.Error.new(OVERLOADED)
    error.retryable = error.remote = error.overloaded = True
    return error


class _Call:
    """One under way, which may get lost. Its promise is its own request's, whoever resolves it."""

    def __init__(self) -> None:
        self._gone = js.Promise.withResolvers()
        self.lost = False

    def lose(self) -> None:
        self.lost = True
        self._gone.resolve()

    async def unless_lost(self, promise: Any) -> Any:
        """Await a promise. Raises the platform's error when the object is reset meanwhile."""
        told = await js.Promise.race(to_js([promise, self._gone.promise]))
        if self.lost:
            raise reset_error()
        return told


class _Object:
    """What is known of one object from here."""

    def __init__(self) -> None:
        self.since = clock.now()
        self.calls: set[_Call] = set()


class Namespace:
    """A namespace of Durable Objects. What it does not know it has not: nothing goes by it unnoticed."""

    def __init__(self, namespace: Any, settings: Settings) -> None:
        self._namespace = namespace
        self.settings = settings
        self.chance = settings.chance
        self._objects: dict[str, _Object] = {}
        self._overloaded_at = clock.now()

    def getByName(self, name: str, *options: Any) -> Stub:
        stub = self._namespace.getByName(name, *options)
        # The gate of a region is where its callers are; all else is far.
        return Stub(self, self._objects.setdefault(name, _Object()), stub, 0 if "@" in name else self.settings.delay_ms)

    def jurisdiction(self, name: str) -> Namespace:
        return Namespace(self._namespace.jurisdiction(name), self.settings)

    def is_overloaded(self) -> bool:
        """Tell whether this call is the one in so many seconds that is refused."""
        seconds = self.settings.overload_seconds
        if not seconds or clock.now() - self._overloaded_at < seconds * 1000:
            return False
        self._overloaded_at = clock.now()
        return True


class Stub:
    """A way to one object. After a reset it stays broken, and another is to be got."""

    def __init__(self, namespace: Namespace, known: _Object, stub: Any, delay_ms: int) -> None:
        self._delay_ms = delay_ms
        self._namespace = namespace
        self._object = known
        self._stub = stub
        self._broken = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            return asyncio.ensure_future(self._call(name, arguments))

        return called

    async def _call(self, name: str, arguments: tuple[Any, ...]) -> Any:
        if self._broken:
            raise reset_error()
        if self._namespace.is_overloaded():
            await travel(self._delay_ms / 2)
            raise overloaded_error()
        call = _Call()
        self._object.calls.add(call)
        try:
            async with INVOCATION.get().connection():
                return await self._there_and_back(call, name, arguments)
        except JsException as error:
            if RESET not in str(error.message):
                raise
            self._broken = True
            raise reset_error() from None
        finally:
            self._object.calls.discard(call)

    async def _there_and_back(self, call: _Call, name: str, arguments: tuple[Any, ...]) -> Any:
        way_ms = self._delay_ms / 2
        resets = self._namespace.settings.reset_seconds
        if resets and clock.now() - self._object.since >= resets * 1000:
            self._object.since = clock.now()
            await travel(way_ms)
            if self._namespace.chance.random() < 0.5:  # done, but the answer is lost
                await getattr(self._stub, name)(*arguments)
            await self._reset()
            raise reset_error()
        await call.unless_lost(js.scheduler.wait(way_ms))
        told = await call.unless_lost(getattr(self._stub, name)(*arguments))
        await call.unless_lost(js.scheduler.wait(way_ms))
        return told

    async def _reset(self) -> None:
        """Have the object thrown away, and lose all calls that are under way to it or back."""
        for call in self._object.calls:
            call.lose()
        with suppress(JsException):  # its own end is an error too
            await self._stub.production_reset()
