"""The little of the platform that the way to the gates uses, in virtual time: nothing sleeps, hours pass at once.

`tests/contract/test_gate_carrying.py` tries the same code where promises and timers are workerd's.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable, Coroutine
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer when there is nothing else to do."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 1_000_000.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        ready: Any = self._ready  # type: ignore[attr-defined] # of asyncio's own
        timers: Any = self._scheduled  # type: ignore[attr-defined]
        if not ready and timers:
            self._now = max(self._now, timers[0].when())
        super()._run_once()  # type: ignore[misc]


class JsException(Exception):
    """An error of JavaScript's, with what the platform sets on it: `retryable`, `overloaded`, `remote`…"""

    def __init__(self, message: str, **properties: bool) -> None:
        super().__init__(message)
        self.message = message
        vars(self).update(properties)


def _with_resolvers() -> SimpleNamespace:
    promise: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def resolve(value: object = None) -> None:
        if not promise.done():
            promise.set_result(value)

    def reject(reason: object) -> None:
        if isinstance(reason, Exception) and not promise.done():  # Pyodide waits for ever where it is no error
            promise.set_exception(reason)

    return SimpleNamespace(promise=promise, resolve=resolve, reject=reject)


def _set_timeout(call: Callable[[], None], ms: float) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_later(ms / 1000, call)


class _OnceCallable:
    """A callable that JavaScript may call once, until it is destroyed. A call destroys it: nobody else may then."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    def __call__(self) -> None:
        call, self._call = self._call, None
        assert call, "it was called or destroyed before"
        call()

    def destroy(self) -> None:
        if self._call is None:
            raise JsException("OnceProxy has already been destroyed")
        self._call = None


def load_gates() -> tuple[ModuleType, ModuleType, ModuleType]:
    """Return `lib.runtime.objects.gates`, `gate_queue` and `lines` upon this platform, made for the caller alone."""
    gates, queue, lines, calls = load("objects.gates", "objects.gate_queue", "lines", "objects.object_calls")
    for module in (queue, lines, calls):
        vars(module)["time"] = SimpleNamespace(time=lambda: asyncio.get_running_loop().time())
    return gates, queue, lines


def load(*names: str) -> list[ModuleType]:
    """Return modules of `lib.runtime` upon this platform, made for the caller alone."""
    js, pyodide, ffi, webloop = map(ModuleType, ("js", "pyodide", "pyodide.ffi", "pyodide.webloop"))
    vars(webloop)["WebLoop"] = type("WebLoop", (), {"call_later": None})
    vars(js).update(
        Object=SimpleNamespace(fromEntries=dict),
        Promise=SimpleNamespace(withResolvers=_with_resolvers),
        setTimeout=_set_timeout,
        clearTimeout=asyncio.TimerHandle.cancel,
        console=SimpleNamespace(log=str, warn=str, error=str),
        scheduler=SimpleNamespace(wait=lambda ms: asyncio.sleep(ms / 1000)),
    )
    vars(ffi).update(
        JsException=JsException,
        create_once_callable=_OnceCallable,
        create_proxy=lambda value: value,
        to_js=lambda value, dict_converter: dict_converter(value),
        jsnull=object(),
    )
    workers = ModuleType("workers")
    for name in ("DurableObject", "Request", "WorkerEntrypoint"):
        vars(workers)[name] = type(name, (), {"__init__": lambda *_: None})
    helper = ModuleType("_pyodide_entrypoint_helper")
    platform = {module.__name__: module for module in (js, pyodide, ffi, webloop, workers, helper)}
    ours = {name: module for name, module in sys.modules.items() if not name.startswith("lib.runtime")}
    with mock.patch.dict(sys.modules, ours | platform, clear=True):
        loaded = [importlib.import_module(f"lib.runtime.{name}") for name in names]
        found = {name: module for name, module in sys.modules.items() if name not in platform}
    # What they have imported stays for all: else others would get one more of each, beside what its package names.
    sys.modules.update({name: module for name, module in found.items() if not name.startswith("lib.runtime")})
    return loaded


def run_virtually(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end in virtual time; return what comes of it."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
