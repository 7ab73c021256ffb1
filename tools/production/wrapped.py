"""Classes of Durable Objects under production's rules."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

from tools.production.environment import Environment, begin, environment_of
from tools.production.object_side import ObjectContext


def in_production(kind: type) -> type:
    """Return a class of objects under production's rules."""

    class Object(kind):  # of the platform's
        def __init__(self, ctx: Any, env: Any) -> None:
            self._environment = environment_of(env._env)
            begin(self._environment)
            self._production = ObjectContext(ctx._ctx, self._environment.settings)
            super().__init__(self._production, self._environment)

        async def alarm(self, info: Any = None) -> None:
            begin(self._environment)
            await super().alarm(info)
            if self._production.storage.rings_twice():
                await super().alarm(info)

        def production_reset(self) -> None:
            """Throw this object away."""
            self._production.reset()

    for name, method in inspect.getmembers(kind, inspect.isfunction):
        if not name.startswith("_") and name != "alarm":
            setattr(Object, name, _invoked(method))
    Object.__name__ = Object.__qualname__ = kind.__name__
    return Object


def _invoked(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let each call of a method be an invocation."""

    @functools.wraps(method)
    def called(self: Any, *arguments: Any) -> Any:
        begin(self._environment)
        told = method(self, *arguments)
        return _within(self._environment, told) if inspect.iscoroutine(told) else told

    @functools.wraps(method)
    async def awaited(self: Any, *arguments: Any) -> Any:
        begin(self._environment)
        return await method(self, *arguments)

    return awaited if inspect.iscoroutinefunction(method) else called


async def _within(environment: Environment, work: Coroutine[Any, Any, Any]) -> Any:
    """Do what a method has only begun: the platform awaits it where nothing is known of the invocation."""
    begin(environment)
    return await work
