"""The Worker's `env` and `ctx` as in production. A binding that no rule is about is the platform's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import _pyodide_entrypoint_helper
import js
from pyodide.ffi import JsException, to_js

from tools.production import clock
from tools.production.database import D1, Hyperdrive
from tools.production.invocation import INVOCATION, Invocation
from tools.production.messages import Kv, Queue
from tools.production.objects import Namespace
from tools.production.rules import Settings, read_settings

CUT = '{"level": "error", "event": "wait_until_cut"}'


class Environment:
    """All that an isolate is bound to. There is one, as what the stand-ins know of rates and resets is one."""

    def __init__(self, env: Any, settings: Settings) -> None:
        self.settings = settings
        self._env = env
        self._bindings: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name not in self._bindings:
            self._bindings[name] = self._bound(getattr(self._env, name))
        return self._bindings[name]

    def _bound(self, binding: Any) -> Any:
        kind = "" if isinstance(binding, str) else str(binding.constructor.name)
        return KINDS[kind](binding, self.settings) if kind in KINDS else binding


KINDS: Mapping[str, Callable[[Any, Settings], Any]] = {
    "D1Database": lambda binding, settings: D1(binding, settings.delay_ms),
    "Hyperdrive": lambda binding, settings: Hyperdrive(binding, settings.delay_ms),
    "DurableObjectNamespace": Namespace,
    "KvNamespace": lambda binding, _settings: Kv(binding),
    "WorkerQueue": Queue,
}

_environment: Environment | None = None
_fetch: Any = None


def environment_of(env: Any) -> Environment:
    """Return the isolate's environment; made at its first event."""
    global _environment, _fetch  # noqa: PLW0603 - an isolate has one
    clock.install()
    if _environment is None:
        _fetch, js.fetch = js.fetch, _connecting_fetch
        _environment = Environment(env, read_settings(lambda name: getattr(env, name, None)))
    return _environment


def _connecting_fetch(*arguments: Any) -> Any:
    async def fetched() -> Any:
        async with INVOCATION.get().connection():  # until the head of the answer is there
            return await _fetch(*arguments)

    return asyncio.ensure_future(fetched())


def begin(env: Environment) -> Invocation:
    """Note that an event has come in."""
    clock.install()
    invocation = Invocation(env.settings.queries)
    INVOCATION.set(invocation)
    return invocation


class RequestContext:
    """A request's `ctx`, whose `waitUntil` ends some seconds after the answer."""

    def __init__(self, ctx: Any, most_ms: int) -> None:
        # As the SDK does where its own way is taken: what races below is a future of Python's.
        _pyodide_entrypoint_helper.patchWaitUntil(ctx)
        self._real = ctx
        self._most_ms = most_ms
        self._cut = js.Promise.withResolvers()

    def waitUntil(self, promise: Any) -> None:
        self._real.waitUntil(js.Promise.race(to_js([promise, self._cut.promise])))

    def answered(self, invocation: Invocation) -> None:
        """Begin to count. Once nobody waits any longer, the platform itself throws away what is still under way."""
        if invocation.streamed is None:
            self._count()
        else:
            asyncio.ensure_future(self._count_after(invocation.streamed))  # noqa: RUF006 - ends with its request

    async def _count_after(self, streamed: Any) -> None:
        with suppress(JsException):
            await streamed
        self._count()

    def _count(self) -> None:
        js.setTimeout(js.console.error.bind(js.console, CUT), self._most_ms)
        js.setTimeout(self._cut.resolve, self._most_ms)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def told_when_ended(native: Any) -> Any:
    """Return a stream's copy for the client, and note when it ends: only then is the request answered. Bytes stay."""
    if not hasattr(native, "pipeTo"):
        return native
    pipe = js.TransformStream.new()  # the platform's own can't be piped into another
    INVOCATION.get().streamed = native.pipeTo(pipe.writable)
    return pipe.readable
