"""The Worker: what the platform calls, by name. Everything else is in `lib` and `routes`.

To follow a request: `serve` (lib/worker/serving.py) → `handle` (lib/web/pipeline.py) → a route's handler (routes/).
"""

from __future__ import annotations

import gc
from typing import Any

from workers import WorkerEntrypoint

from lib.kernel import failures
from lib.runtime import event_loop, inside, log
from lib.runtime.objects.gate_object import Gate
from lib.runtime.objects.guard_object import Guard
from lib.worker.jobs import hourly, write_ledger
from lib.worker.serving import serve

__all__ = ["Default", "Gate", "Guard"]

event_loop.install()
failures.report_to(log.warning)
# What is made at the start lives for ever: the collector need not look through it, again and again, in calls.
gc.freeze()


class Default(WorkerEntrypoint):
    """The Worker's entrypoint. Every public method can be called over RPC, so there are only the platform's own."""

    # Not `async`: what it returns is awaited, and a coroutine around it would be one more to step through.
    def fetch(self, request: Any) -> Any:
        """Answer an HTTP request."""
        return serve(inside.plain_env(self.env), self.ctx, inside.plain_request(request))

    async def scheduled(self, _controller: Any, _env: Any, _ctx: Any) -> None:
        """Do the hourly work (wrangler.toml, `crons`)."""
        await hourly(inside.plain_env(self.env))

    async def queue(self, batch: Any, _env: Any, _ctx: Any) -> None:
        """Write to the store what the gates have sent (wrangler.toml, `queues`)."""
        await write_ledger(inside.plain_env(self.env), batch._binding)


inside.pass_by(Default)
