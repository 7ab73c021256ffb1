"""Work that is done when the answer has left, so that neither its time nor its failure tells who has an account."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from lib.events.parts import Parts
from lib.http.response import AFTERWARDS_SECONDS, Finish, LogFacts
from lib.kernel.errors import HeadgateError
from lib.store.database import StoreUnavailable

# What is ready in the turn of the event loop that makes the answer runs before it leaves (lib/runtime/event_loop.py):
# the first steps of a sign-up, which a known address spares us, would be in its time. A timer comes in another turn.
AFTER_SECONDS = 0.02


def later(parts: Parts, work: Callable[[], Awaitable[None]]) -> Finish:
    """Return what `Response.finish` takes. The request's connection is closed by then; `work` may open one anew.

    Nobody can be told any more when a mail can't be sent or the store is away: the request's log line tells it.
    """

    async def finish() -> LogFacts:
        await asyncio.sleep(AFTER_SECONDS)
        try:
            async with asyncio.timeout(AFTERWARDS_SECONDS):
                await work()
        except TimeoutError:
            return {"unfinished": f"it was not done within {AFTERWARDS_SECONDS} s"}
        except (HeadgateError, StoreUnavailable) as failure:
            return {"unfinished": str(failure)}
        finally:
            await parts.database.close()
        return {}

    return finish
