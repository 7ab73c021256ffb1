"""Work that is done when the answer has begun, so that neither its time nor its failure tells who has an account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from lib.http.response import Finish, LogFacts
from lib.services import Services


def later(services: Services, work: Callable[[], Awaitable[None]]) -> Finish:
    """Return what `Response.finish` takes. The request's connection is closed by then; `work` may open one anew."""

    async def finish() -> LogFacts:
        try:
            await work()
        finally:
            await services.database.close()
        return {}

    return finish
