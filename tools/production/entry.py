"""Headgate's entry under production's rules. tools/production_project.py puts it beside entry.py; no deploy has it."""

from __future__ import annotations

import json
from typing import Any

import js
import pyodide_js  # type: ignore[import-not-found]  # exists only in Pyodide

import entry
from lib.runtime import inside
from lib.worker import serving as worker
from tools.production.environment import RequestContext, begin, environment_of, told_when_ended
from tools.production.invocation import Invocation
from tools.production.wrapped import in_production

__all__ = ["Default", "Gate", "Guard"]

MEMORY = "/__production/memory"

worker._native = lambda body: told_when_ended(body.native)  # the one place where a stream goes out


class Default(entry.Default):
    """The Worker's entrypoint. One is made for each event."""

    ctx: Any
    env: Any

    async def fetch(self, request: Any) -> Any:
        if request.url.endswith(MEMORY):
            return js.Response.new(json.dumps({"wasm_bytes": pyodide_js._module.HEAP8.length}))
        invocation = self._begin()
        self.ctx = RequestContext(self.ctx, self.env.settings.wait_until_ms)
        answer = await super().fetch(request)
        self.ctx.answered(invocation)
        return answer

    async def scheduled(self, controller: Any, env: Any, ctx: Any) -> None:
        self._begin()
        await super().scheduled(controller, env, ctx)

    async def queue(self, batch: Any, env: Any, ctx: Any) -> None:
        self._begin()
        await super().queue(batch, env, ctx)

    def _begin(self) -> Invocation:
        self.env = environment_of(inside.plain_env(self.env))
        return begin(self.env)


Gate = in_production(entry.Gate)
Guard = in_production(entry.Guard)
