"""Refused changes in the audit log: who may not do what it tried is noted when the answer has begun.

A log that whoever is refused could fill at will would be a way to flood it. So an isolate writes one row for each
caller and route in INTERVAL_SECONDS, and no more than MOST_ROWS in that time for each log; the next row tells how many
were left out. Each refusal has its line in the request log all the same.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Protocol

from lib.access.principal import NONE, SELF, Principal
from lib.events.event import DENIED, Detail, Event
from lib.events.parts import Parts
from lib.http.response import AFTERWARDS_SECONDS, Finish, LogFacts
from lib.kernel import failures
from lib.kernel.bounded import keep
from lib.kernel.errors import Forbidden
from lib.kernel.failures import Failure
from lib.sessions.csrf import SAFE_METHODS
from lib.store.database import StoreUnavailable
from lib.store.tenant import Org, Person

ACTION = "request.refused"
INTERVAL_SECONDS = 60
MOST_ROWS = 60  # in INTERVAL_SECONDS, for each organisation or person
MOST_REMEMBERED = 10_000  # callers with their routes, and as many logs

_PLACE = re.compile(r"\{(\w+)(?::path)?\}")
# What is between a caller and the log: a place of a path may hold anything.
_PLAIN = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/:-]{0,199}")
# What the log calls the things that a path names.
_KINDS: Mapping[str, str] = {
    "budgets": "budget",
    "invitations": "invitation",
    "keys": "key",
    "limits": "limit",
    "logins": "login",
    "members": "user",
    "models": "model",
    "orgs": "org",
    "roles": "role",
    "sessions": "session",
    "teams": "team",
}


class Refusals:
    """What an isolate remembers of refusals, to bound the rows. Pure: no clock; times are seconds.

    All of it is bounded: what came first makes room. Who forces that has used up the rows of its log long before.
    """

    def __init__(self) -> None:
        self._noted: dict[tuple[str, str, str], tuple[float, int]] = {}  # when a row was due, and how many since
        self._logs: dict[str, tuple[float, int]] = {}  # when an interval began, and its rows

    def due(self, owner: str, actor: str, what: str, now: float) -> int | None:
        """Count a refusal. Return how many like it were left out since the last row; None where it is left out too."""
        like = (owner, actor, what)
        at, left_out = self._noted.get(like, (float("-inf"), 0))
        if now - at < INTERVAL_SECONDS:
            self._noted[like] = (at, left_out + 1)
            return None
        began, rows = self._logs.get(owner, (now, 0))
        if now - began >= INTERVAL_SECONDS:
            began, rows = now, 0
        if rows >= MOST_ROWS:
            if like in self._noted:
                self._noted[like] = (at, left_out + 1)
            return None
        keep(self._logs, owner, (began, rows + 1), MOST_REMEMBERED)
        keep(self._noted, like, (now, 0), MOST_REMEMBERED)
        return left_out


class Asked(Protocol):
    """The route whose permission was refused."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def permission(self) -> str | None: ...


class Noting(Parts, Protocol):
    """What is needed to note a refusal."""

    @property
    def refusals(self) -> Refusals: ...


def note(
    parts: Noting, route: Asked, path: Mapping[str, str], principal: Principal, refusal: Forbidden
) -> Finish | None:
    """Return what notes a refusal, once the answer has begun; None where there is nothing to note, or no room for it.

    It is in the organisation's log; where a person may not change its own account, in that person's.
    """
    if route.method in SAFE_METHODS:
        return None
    own = principal.is_person and route.permission == SELF
    owner = str(principal.user_id) if own else principal.org_id
    if owner == NONE:
        return None
    now = parts.clock.now()
    left_out = parts.refusals.due(owner, principal.actor, f"{route.method} {route.path}", now.timestamp())
    if left_out is None:
        return None
    details: dict[str, Detail] = {
        "method": route.method,
        "route": route.path,
        "error": refusal.code,
        "message": refusal.message,
        **({"left_out": left_out} if left_out else {}),
    }
    target = target_of(route.path, path, principal)
    event = Event(ACTION, Person(owner) if own else Org(owner), target, details, DENIED)

    async def write() -> LogFacts:
        try:
            async with asyncio.timeout(AFTERWARDS_SECONDS):
                await parts.work(principal.actor).commit(event)
        except (StoreUnavailable, TimeoutError) as failure:
            failures.note(Failure.REFUSAL_UNNOTED, str(failure) or f"not done within {AFTERWARDS_SECONDS} s")
        return {}

    return write


def target_of(route_path: str, path: Mapping[str, str], principal: Principal) -> str | None:
    """Return what a request was about, as the log names it: the last thing in its path that has a name there."""
    for kind, word in reversed(list(pairwise(route_path.split("/")))):
        place = _PLACE.fullmatch(word)
        if place is None or kind not in _KINDS:
            continue
        named = path.get(place[1], "")
        if kind == "orgs" and named == "current":
            named = principal.org_id
        return f"{_KINDS[kind]}:{named}" if _PLAIN.fullmatch(named) else None
    return None
