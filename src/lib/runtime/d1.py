"""D1's binding, reached with few crossings: parameters in one call each, results as one JSON text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import js
from pyodide.ffi import JsException, jsnull, to_js

from lib.store.d1 import D1Failure
from lib.store.session import Bound, Result

_SMALL = 2**31


class JsD1Binding:
    """Implements `lib.store.d1.D1Binding` and `D1Replicas`: the platform's binding, or a session that it has given."""

    def __init__(self, binding: Any) -> None:
        self._binding = binding

    async def batch(self, statements: Sequence[Bound]) -> list[Result]:
        try:
            prepared = [self._prepare(sql, values) for sql, values in statements]
            results = await self._binding.batch(to_js(prepared))
        except JsException as error:
            raise D1Failure(error.message or "") from None
        # Walking the result object by object would cross the boundary once a value.
        return [
            Result(result["results"], result["meta"].get("changes", 0), result["meta"].get("size_after"))
            for result in json.loads(js.JSON.stringify(results))
        ]

    def replicated(self, constraint: str) -> JsD1Binding:
        return JsD1Binding(self._binding.withSession(constraint))

    def bookmark(self) -> str | None:
        bookmark = self._binding.getBookmark()
        return bookmark if isinstance(bookmark, str) else None

    def _prepare(self, sql: str, values: Sequence[Any]) -> Any:
        statement = self._binding.prepare(sql)
        return statement.bind(*map(_crossing, values)) if values else statement


def _crossing(value: Any) -> Any:
    """Return a value that arrives as one that D1 takes: None would become undefined, and a large integer a BigInt."""
    if value is None:
        return jsnull
    return float(value) if isinstance(value, int) and abs(value) > _SMALL else value
