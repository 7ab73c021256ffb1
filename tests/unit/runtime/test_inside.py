"""Past the runtime's own way to call a method, where it is the one that is known; and the public way elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.unit.runtime.virtual_platform import load

KNOWN = """
def wrapper_func(relaxed, inst, prop, *args, **kwargs):
    method = getattr(inst, prop)
    python_from_rpc, kwargs.items, relaxed_call, isawaitable, python_to_rpc
"""
OTHERS = {
    "asks for more": KNOWN + "    check_cpu_limit()\n",
    "asks for less": KNOWN.replace(" relaxed_call,", ""),
    "is no function": "from functools import partial\nwrapper_func = partial(print)",
    "is called otherwise": KNOWN.replace("wrapper_func", "call_method"),
}
INIT = """
def init(self, ctx, env):
    list, len, _pyodide_entrypoint_helper.patchWaitUntil
    issubclass, DurableObject, DurableObjectContext, _EnvWrapper
"""


def made(source: str, name: str) -> Any:
    names: dict[str, Any] = {}
    exec(source, names)  # noqa: S102 - ours, above
    return names.get(name)


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[Any, ModuleType, list[str]]]:
    """Return the module, the runtime's own with this source, and what is logged."""

    def begin(source: str) -> tuple[Any, ModuleType, list[str]]:
        [inside] = load("inside")
        module = ModuleType("_cloudflare.introspection_13a62894")
        vars(module)["wrapper_func"] = made(source, "wrapper_func")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        lines: list[str] = []
        monkeypatch.setattr(inside.log, "warning", lambda event, **_: lines.append(event))
        return inside, module, lines

    return begin


def test_what_is_known_is_passed_by(runtime: Any) -> None:
    """The first instance has the runtime call straight: with the request alone, or with all that it was given."""
    inside, module, lines = runtime(KNOWN)
    entrypoint = type("Entrypoint", (), {"fetch": lambda self, request: (self.ctx, self.env, request)})
    inside.pass_by(entrypoint, made(INIT, "init"))
    one = entrypoint("ctx", "env")
    assert module.wrapper_func(True, one, "fetch", "request", "env", "ctx") == ("ctx", "env", "request")
    assert module.wrapper_func(False, SimpleNamespace(batch=lambda *given: given), "batch", 1, "[]") == (1, "[]")
    assert (inside.plain_request("request"), inside.plain_env("env"), lines) == ("request", "env", [])


@pytest.mark.parametrize("source", OTHERS.values(), ids=OTHERS)
def test_what_is_not_known_stays_as_it_is_and_the_log_says_so_once(runtime: Any, source: str) -> None:
    inside, module, lines = runtime(source)
    before = vars(module)["wrapper_func"]
    for _ in range(5):
        inside.take_over()
    assert (vars(module)["wrapper_func"], lines) == (before, ["runtime_unknown"])


@pytest.mark.parametrize("init", [made(INIT.replace("issubclass", "isinstance"), "init"), object.__init__])
def test_an_instance_of_another_sdk_is_made_its_way(runtime: Any, init: Any) -> None:
    """What it has wrapped is taken out again."""
    inside, _, lines = runtime(KNOWN)
    entrypoint = type("Entrypoint", (), {})
    inside.pass_by(entrypoint, init)
    assert "__init__" not in vars(entrypoint)
    wrapped = type("_EnvWrapper", (), {"_env": "env"})()
    request = inside.Request()
    request.js_object = "request"
    told = [(inside.plain_env(wrapped), inside.plain_request(request)) for _ in range(2)]
    assert (told, lines) == ([("env", "request")] * 2, ["runtime_unknown"])
