"""The guard against guessing as services use it: two counts for each attempt, of its account and of its network.

What is counted is in `lib.defence.guessing`; each count lives in an object of its own, so it is one for all isolates.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Protocol

from lib.defence.shield import network_of
from lib.kernel import failures
from lib.kernel.errors import TooManyRequests, Unavailable
from lib.kernel.failures import Failure

ACCOUNT, NETWORK = "account", "network"
KNOWN = -1  # what an object answers in place of 0 when the owner has come from that network


class GuardFailure(Exception):
    """An object can't be reached. The text is for operators."""


class Objects(Protocol):
    """The objects, by `purpose:kind:whose`. All raise GuardFailure."""

    async def attempt(self, name: str, network: str) -> int:
        """Return 0 or KNOWN, and count an attempt as under way; or how many ms to wait."""
        ...

    async def failed(self, name: str, network: str) -> None: ...

    async def succeeded(self, name: str, network: str) -> int:
        """Return KNOWN where the owner had come from that network before, else 0."""
        ...

    async def released(self, name: str, network: str) -> None: ...


class ObjectGuard:
    """Implements `lib.defence.attempts.Guard`. `key` hides accounts: an object's name shows no address."""

    def __init__(self, objects: Objects, key: bytes) -> None:
        self._objects = objects
        self._key = key

    async def check(self, purpose: str, account: str, address: str | None) -> None:
        """Raise TooManyRequests when it is too early, Unavailable when that can't be told."""
        try:
            wait = await self._wait(purpose, account, network_of(address))
        except GuardFailure as failure:
            failures.note(Failure.GUARD_UNREACHABLE, str(failure))
            raise Unavailable("Attempts can't be counted. Try again.", code="guard_unavailable") from None
        if wait > 0:
            seconds = -(-wait // 1000)
            raise TooManyRequests(
                f"There were too many attempts. Try again in {seconds} seconds.",
                code="too_many_attempts",
                headers={"retry-after": str(seconds)},
            )

    async def failed(self, purpose: str, account: str, address: str | None) -> None:
        """Count an attempt that failed, for its account and for its network."""
        network = network_of(address)
        try:
            if account:
                await self._objects.failed(self._account(purpose, account), network)
            if network:
                await self._objects.failed(f"{purpose}:{NETWORK}:{network}", "")
        except GuardFailure as failure:  # it still counts as under way for a while
            failures.note(Failure.GUARD_UNREACHABLE, str(failure))

    async def succeeded(self, purpose: str, account: str, address: str | None) -> None:
        """Remember that the owner comes from there. Its attempt counts no more for the network: many may sign in from
        the same one at once.
        """
        network = network_of(address)
        try:
            known = await self._objects.succeeded(self._account(purpose, account), network) if account else 0
            if network and known != KNOWN:  # else `check` has not counted it there
                await self._objects.released(f"{purpose}:{NETWORK}:{network}", "")
        except GuardFailure as failure:
            failures.note(Failure.GUARD_UNREACHABLE, str(failure))

    async def _wait(self, purpose: str, account: str, network: str) -> int:
        """Return how many ms to wait. Where the owner has come from before, what others try there does not count."""
        own = await self._objects.attempt(self._account(purpose, account), network) if account else 0
        if own or not network:  # without the platform's header nothing is known of the network
            return max(own, 0)
        wait = await self._objects.attempt(f"{purpose}:{NETWORK}:{network}", "")
        if wait > 0 and account:
            await self._objects.released(self._account(purpose, account), network)
        return max(wait, 0)

    def _account(self, purpose: str, account: str) -> str:
        hidden = hmac.new(self._key, account.encode(), hashlib.sha256).hexdigest()
        return f"{purpose}:{ACCOUNT}:{hidden}"
