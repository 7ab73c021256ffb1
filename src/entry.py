"""The Worker: what the platform calls, by name. Everything else is in `lib` and `routes`.

To follow a request: `serve` (lib/runtime/worker.py) → `handle` (lib/http/pipeline.py) → a route's handler (routes/).
"""

from __future__ import annotations

import gc
from typing import Any

from workers import WorkerEntrypoint

from lib import failures
from lib.runtime import event_loop, log
from lib.runtime.gate_object import Gate
from lib.runtime.guard_object import Guard
from lib.runtime.jobs import hourly, write_ledger
from lib.runtime.worker import serve

__all__ = ["Default", "Gate", "Guard"]

event_loop.install()
failures.report_to(log.warning)
# What is made at the start lives for ever: the collector need not look through it, again and again, in calls.
gc.freeze()


class Default(WorkerEntrypoint):
    """The Worker's entrypoint. Every public method can be called over RPC, so there are only the platform's own."""

    async def fetch(self, request: Any) -> Any:
        """Answer an HTTP request."""
        return await serve(self.env._env, self.ctx, request.js_object)

    async def scheduled(self, _controller: Any, _env: Any, _ctx: Any) -> None:
        """Do the hourly work (wrangler.toml, `crons`)."""
        await hourly(self.env._env)

    async def queue(self, batch: Any, _env: Any, _ctx: Any) -> None:
        """Write to the store what the gates have sent (wrangler.toml, `queues`)."""
        await write_ledger(self.env._env, batch._binding)
