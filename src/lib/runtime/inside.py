"""Past what the SDK and the runtime do around each call. This file alone leans on their insides, which nobody promises.

For each call of a method the runtime converts all arguments and the result, and looks with `inspect` how many the
method takes; the SDK wraps `ctx` and `env` anew for each request. What ours take and give is plain already, so that is
900 lines of Python a request for nothing.

So the runtime gets a `wrapper_func` of ours in place of its own, and an entrypoint an `__init__`, where theirs are the
ones that we know. Else everything goes the public way, which works as well, and the log says so once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from workers import Request, WorkerEntrypoint

from lib.runtime import log

_PACKAGE = "_cloudflare."  # where the runtime keeps Python of its own, under names that tell its version
# All that those ask for which we pass by, in workerd 2026-11-17 and workers-runtime-sdk 1.9.5.
_WRAPPER = {"getattr", "python_from_rpc", "items", "relaxed_call", "isawaitable", "python_to_rpc"}
_INIT = {
    *("list", "len", "_pyodide_entrypoint_helper", "patchWaitUntil"),
    *("issubclass", "DurableObject", "DurableObjectContext", "_EnvWrapper"),
}
_LOOKS = 3  # so often is the runtime's function looked for, in case that it is made later than the first instance

_looks_left = _LOOKS
_told = False


def pass_by(entrypoint: type[Any], init: Callable[..., None] = WorkerEntrypoint.__init__) -> None:
    """Have an entrypoint keep `ctx` and `env` as the platform gives them. Called once, when the Worker is imported."""
    if _asks_for(init) == _INIT:
        entrypoint.__init__ = _keep


def take_over() -> None:
    """Put our function in place of the runtime's, if it is the one that we know. Called when an instance is made: the
    runtime reads its function anew for each call.
    """
    global _looks_left  # noqa: PLW0603 - an isolate has no other place
    if not _looks_left:
        return
    _looks_left -= 1
    for name, module in list(sys.modules.items()):
        theirs = vars(module).get("wrapper_func") if name.startswith(_PACKAGE) else None
        if _asks_for(theirs) == _WRAPPER:
            vars(module)["wrapper_func"] = _straight
            _looks_left = 0
            return
    if not _looks_left:
        _tell_unknown()


def plain_request(request: Any) -> Any:
    """Return JavaScript's Request, whichever way it came."""
    return request.js_object if isinstance(request, Request) else request


def plain_env(env: Any) -> Any:
    """Return the platform's bindings, whichever way they came."""
    if type(env).__name__ != "_EnvWrapper":
        return env
    _tell_unknown()
    return env._env


def _keep(self: Any, ctx: Any, env: Any) -> None:
    if _looks_left:
        take_over()
    self.ctx, self.env = ctx, env


def _straight(relaxed: bool, instance: Any, name: str, *arguments: Any) -> Any:
    """Call a method; with the request alone where the runtime leaves out what the method does not take.

    What is to be awaited is awaited by the runtime: a coroutine of ours would be one more task.
    """
    return getattr(instance, name)(*(arguments[:1] if relaxed else arguments))


def _asks_for(function: Any) -> set[str]:
    """Return the names that a function asks for; none where it is none of Python's, or there is none."""
    return set(getattr(getattr(function, "__code__", None), "co_names", ()))


def _tell_unknown() -> None:
    global _told  # noqa: PLW0603 - as above
    if not _told:
        _told = True
        log.warning("runtime_unknown", reason="calls go the public way, which is slower: see lib/runtime/inside.py")
