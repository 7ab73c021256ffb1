"""D1's binding, reached with few crossings: parameters in one call each, results as one JSON text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import js
from pyodide.ffi import JsException, jsnull, to_js

from lib.store.d1 import D1Failure, D1Result
from lib.store.rows import Column


class JsD1Binding:
    """Implements `lib.store.d1.D1Binding` on the JavaScript binding of the environment."""

    def __init__(self, binding: Any) -> None:
        self._binding = binding

    async def batch(self, statements: Sequence[tuple[str, Sequence[Column]]]) -> list[D1Result]:
        prepared = [self._prepare(sql, values) for sql, values in statements]
        try:
            results = await self._binding.batch(to_js(prepared))
        except JsException as error:
            raise D1Failure(error.message or "") from None
        # Walking the result object by object would cross the boundary once a value.
        return [
            D1Result(result["results"], result["meta"].get("changes", 0))
            for result in json.loads(js.JSON.stringify(results))
        ]

    def _prepare(self, sql: str, values: Sequence[Column]) -> Any:
        statement = self._binding.prepare(sql)
        # Python's None would become undefined, which D1 refuses.
        return statement.bind(*(jsnull if value is None else value for value in values)) if values else statement
