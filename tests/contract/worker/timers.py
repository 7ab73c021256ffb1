"""What a test asks of asyncio's timers in the Worker."""

from __future__ import annotations

import asyncio
import time

import js


async def wait_often(times: int) -> dict[str, object]:
    """Wait so often for what is there at once, with an hour's patience; then for what never comes, with little."""
    for _ in range(times):
        await asyncio.wait_for(js.Promise.resolve(), 3600)
    began = time.time()
    late = []
    for never in (js.Promise.withResolvers().promise, asyncio.get_running_loop().create_future()):
        try:
            await asyncio.wait_for(never, 0.1)
        except TimeoutError:
            late.append(True)
    await asyncio.sleep(0.1)
    return {"late": late, "seconds": time.time() - began}
