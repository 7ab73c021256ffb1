"""Where this deployment's Durable Objects are made, and that they stay there.

An object is made near who calls it first, and never moves; a location is a hint for that moment. A jurisdiction is part
of an object's id: with another one, the same names lead to other objects, which are empty
(https://developers.cloudflare.com/durable-objects/reference/data-location/). Gates that have forgotten what was spent
would let it be spent again. So one object outside of any jurisdiction remembers the first.
"""

from __future__ import annotations

from typing import Any

from js import Object
from pyodide.ffi import JsException, to_js

from lib.config import PlaceConfig
from lib.kernel import failures
from lib.kernel.errors import Unavailable
from lib.kernel.failures import Failure
from lib.runtime.objects import object_calls
from lib.runtime.objects.object_calls import Method

NONE = "none"
_REMEMBERS = "placement:deployment:"  # as guards' names are: see `lib.defence.guard`
_PLACED = Method("the first that was told stays")


class Objects:
    """A namespace of Durable Objects, as the platform has it, that makes each where it belongs."""

    def __init__(self, binding: Any, jurisdiction: str | None, location: str | None = None) -> None:
        self._namespace = binding.jurisdiction(jurisdiction) if jurisdiction else binding
        self._options = _hint(location) if location else None

    def getByName(self, name: str, location: str | None = None) -> Any:
        """Return the way to an object. With `location` it is made there, and not where the others are."""
        options = self._options if location is None else _hint(location)
        return self._namespace.getByName(name) if options is None else self._namespace.getByName(name, options)


def _hint(location: str) -> Any:
    return to_js({"locationHint": location}, dict_converter=Object.fromEntries)


class Placement:
    """The settings of where objects are, for one isolate."""

    def __init__(self, env: Any, config: PlaceConfig) -> None:
        self.gates = Objects(env.GATE, config.jurisdiction, config.gate_location)
        self.guards = Objects(env.GUARD, config.jurisdiction)
        self._plain_guards = env.GUARD
        self._jurisdiction = config.jurisdiction
        self._checked = False

    @property
    def is_bound(self) -> bool:
        """Tell whether objects are to stay in a jurisdiction."""
        return self._jurisdiction is not None

    async def check(self) -> None:
        """Raise Unavailable unless JURISDICTION is what it was when this was asked first."""
        if self._checked:
            return
        try:
            first = str(await object_calls.call(self._guard, _PLACED, "placed", self._jurisdiction or NONE))
        except (JsException, TimeoutError) as error:
            failures.note(Failure.GATE_UNREACHABLE, str(error) or "no answer in time")
            raise Unavailable("The gates can't be reached. Try again.", code="gate_unavailable") from None
        if first != (self._jurisdiction or NONE):
            failures.note(Failure.JURISDICTION_CHANGED, f"objects are in {first}")
            raise Unavailable("The deployment's settings have to be mended.", code="jurisdiction_changed")
        self._checked = True

    def _guard(self) -> Any:
        return self._plain_guards.getByName(_REMEMBERS)
