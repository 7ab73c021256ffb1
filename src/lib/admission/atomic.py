"""Methods that write all that they write, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar


class Atomic(Protocol):
    """What a gate can do: see `lib.admission.gate.Gate.atomically`."""

    def atomically(self, work: Callable[[], None]) -> None: ...


_G = TypeVar("_G", bound=Atomic)
_P = ParamSpec("_P")
_T = TypeVar("_T")


def whole(method: Callable[Concatenate[_G, _P], _T]) -> Callable[Concatenate[_G, _P], _T]:
    """Have a method write all that it writes, or nothing; in the latter case its gate is broken."""

    @wraps(method)
    def run(gate: _G, /, *args: _P.args, **values: _P.kwargs) -> _T:
        found: list[_T] = []
        gate.atomically(lambda: found.append(method(gate, *args, **values)))
        return found[0]

    return run
