"""Looking up what somebody presents in the store, past the shield: see `lib.defence.shield`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from lib.defence.shield import Verdict
from lib.kernel.errors import TooManyRequests, Unauthorized

if TYPE_CHECKING:
    from lib.defence.parts import Guarded

Found = TypeVar("Found")

_TOO_MANY = "Too many wrong keys come from your network. Try again."
# How long a request waits for another that looks the same key up: two seconds in all.
_WAITS_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 0.8)


async def look_up(
    parts: Guarded, network: str, name: str, find: Callable[[], Awaitable[Found | None]], refusal: Unauthorized
) -> Found:
    """Return what `find` finds. `name` is a hash of what is presented, from `network`.

    Raises `refusal` where there is nothing; TooManyRequests when so many wrong ones come from there that one which is
    not known yet is not looked up.
    """
    shield, clock = parts.shield, parts.clock
    await _pass(parts, network, name, refusal)
    try:
        found = await find()
    except BaseException:
        shield.failed(network, name, clock.now().timestamp())
        raise
    if found is None:
        shield.not_found(name, clock.now().timestamp())
        raise refusal
    shield.found(network, name, clock.now().timestamp())
    return found


async def _pass(parts: Guarded, network: str, name: str, refusal: Unauthorized) -> None:
    """Return when it may be looked up. Raises `refusal` or TooManyRequests."""
    waits = iter(_WAITS_SECONDS)
    verdict, wait = Verdict.WAIT, 0.0
    while verdict is Verdict.WAIT:
        now = parts.clock.now().timestamp()
        patient = (wait := next(waits, 0.0)) > 0
        verdict = parts.shield.judge(network, name, now, patient=patient)
        if verdict is Verdict.WAIT:
            await asyncio.sleep(wait)
    if verdict is Verdict.WRONG:
        raise refusal
    if verdict is Verdict.TOO_MANY:
        raise TooManyRequests(_TOO_MANY, code="too_many_wrong_keys", headers={"retry-after": "1"})
