"""Clients that are never refused wrongly, and those who change rules and keys beside them.

A steady client has a key of its own and asks one thing after another. So it knows all that its rules can have counted,
and judges each refusal by that: docs/soak.md.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from tools.soak_calls import GRACE_SECONDS, KINDS, TIMEOUT_SECONDS, Client, Json, Kind, Outcome
from tools.soak_checks import SETTLED_SECONDS, Findings
from tools.soak_rules import NEAR_A_KILL, Budget, Rules

# How long a call may be held of which nobody knows the end: then its alarm rings, late by a minute at most.
HELD_SECONDS = TIMEOUT_SECONDS + GRACE_SECONDS + 75
NARROW, WIDE = 150_000, 10**15
ASKED = tuple(kind for kind in KINDS if kind.model in ("sim/whole-chunks8", "sim/told-chunks12-gap2"))
PAUSE_SECONDS = 0.05
PAGE = "https://app.example.com"
CHANGES_PER_SECOND = 5  # while Headgate is up


@dataclass
class Steady:
    """One client. Its key has a budget that it uses up, and may have one call under way, where it is `narrow`."""

    key: str
    tag: str
    budget: Budget
    narrow: bool
    known: int = 0  # what its calls have cost, by the provider's word
    ended: list[tuple[Outcome, int]] = field(default_factory=list)  # with what was told, for those that may yet be lost
    unknown: list[Outcome] = field(default_factory=list)  # whose ends nobody told

    def note(self, outcome: Outcome, kills: Sequence[float], findings: Findings) -> bool:
        """Note a call's end, and find a refusal wrong; tell whether the budget is used up."""
        code = outcome.error.get("code")
        if outcome.status == 402:
            left = self.budget.limit - self.counted(kills)
            if left >= outcome.bound:
                findings.refused(f"a steady client has {left} left, and a call takes {outcome.bound}: {outcome.error}")
            return True
        if outcome.status == 429:
            if not (self.narrow and self.held(outcome.began, kills)):
                findings.refused(f"a steady client has nothing under way, and is told {code}: {outcome.error}")
        elif outcome.status == 200 and outcome.provider_cost is not None:
            self.known += outcome.provider_cost
            self.ended.append((outcome, outcome.provider_cost))
        elif outcome.status != 503:  # which says that nothing was done
            self.unknown.append(outcome)
        return False

    def counted(self, kills: Sequence[float]) -> int:
        """The most that its budget can have counted: what was told, and the bounds of what may be lost."""
        lost = sum(outcome.bound - cost for outcome, cost in self.ended if _may_be_lost(outcome, kills))
        return self.known + lost + sum(outcome.bound for outcome in self.unknown)

    def held(self, now: float, kills: Sequence[float]) -> bool:
        """Tell whether a call may still count as under way."""
        latest = [outcome for outcome, _ in self.ended[-8:] if _may_be_lost(outcome, kills)] + self.unknown[-8:]
        return any(now - outcome.ended < HELD_SECONDS for outcome in latest)


def _may_be_lost(outcome: Outcome, kills: Sequence[float]) -> bool:
    return any(-0.1 <= kill - outcome.ended <= SETTLED_SECONDS for kill in kills)


async def make(rules: Rules, client: Client, narrow: int, wide: int) -> list[Steady]:
    """Make the steady clients' keys and rules."""
    made = []
    for number in range(narrow + wide):
        is_narrow = number < narrow
        key_id = await rules.add_key(client, 0)
        budget = await rules.add_budget(client, {"type": "key", "id": key_id}, "total", NARROW if is_narrow else WIDE)
        await rules.add_limit(client, key_id, "concurrent", 1 if is_narrow else 1_000)
        secret = next(secret for secret, known in rules.key_ids.items() if known == key_id)
        made.append((secret, budget, is_narrow))
    rules.tag_keys()
    return [Steady(secret, rules.tags[secret], rules.budgets[budget], is_narrow) for secret, budget, is_narrow in made]


async def ask(
    steady: Steady, port: int, call: Callable[..., Any], over: Callable[[], bool], judge: Callable[..., Any]
) -> None:
    """Call until the load is over. `call` makes one; `judge` notes it, and raises the budget where it is used up."""
    client, chance = Client(port), random.Random(steady.tag)  # noqa: S311 - no secret
    for kind in cycle(ASKED):
        if over():
            break
        outcome = await call(client, kind.tagged(steady.tag), steady.key, chance)
        await judge(steady, outcome)
        await asyncio.sleep(PAUSE_SECONDS)
    client.close()


@dataclass
class Changes:
    """Who changes keys and rules that no call is refused by: nobody else may notice. They take turns."""

    rules: Rules
    made: int = 0
    failed: list[str] = field(default_factory=list)
    turn: float = 0.0  # the next one's, by the monotonic clock

    async def go_on(self, port: int, up: asyncio.Event, key_id: str, calls: list[Outcome]) -> None:
        """Change one thing after another, until we are cancelled. What the minted keys' calls came to is in `calls`."""
        client = Client(port)
        for change in cycle((self._mint, self._limit, self._budget, self._key)):
            await up.wait()
            try:
                await change(client, key_id, calls)
            except NEAR_A_KILL as error:
                client.close()
                self.failed.append(f"{type(error).__name__}: {error}"[:200])
                await asyncio.sleep(1 / CHANGES_PER_SECOND)

    async def _mint(self, client: Client, _key_id: str, calls: list[Outcome]) -> None:
        kind: Kind = ASKED[0]
        wanted = {
            "end_user": f"visitor-{self.made}",
            "minutes": 5,
            "budget_nano_usd": 10**9,
            "models": [kind.model],
            "origins": [PAGE],
        }
        made = await self._ask(client, "POST", "/api/v1/keys/actions/mint", wanted)
        chance = random.Random(self.made)  # noqa: S311 - no secret
        calls.append(await client.call(kind, made["secret"], chance, None, origin=PAGE))

    async def _limit(self, client: Client, key_id: str, _calls: list[Outcome]) -> None:
        limit = {"scope": {"type": "key", "id": key_id}, "unit": "requests", "limit": 10**6, "window_seconds": 60}
        made = await self._ask(client, "POST", "/api/v1/limits", limit)
        await self._end(client, f"/api/v1/limits/{made['id']}")

    async def _budget(self, client: Client, key_id: str, _calls: list[Outcome]) -> None:
        budget = {"scope": {"type": "key", "id": key_id}, "window": "day", "limit_nano_usd": 10**15}
        made = await self._ask(client, "POST", "/api/v1/budgets", budget)
        await self._end(client, f"/api/v1/budgets/{made['id']}")

    async def _key(self, client: Client, _key_id: str, _calls: list[Outcome]) -> None:
        made = await self._ask(client, "POST", "/api/v1/keys", {"name": "soon gone"})
        await self._end(client, f"/api/v1/keys/{made['id']}")

    async def _ask(self, client: Client, method: str, path: str, body: Json) -> Json:
        await self._wait_for_turn()
        told: Json = (await client.ask(method, path, self.rules.admin, body))["data"]
        self.made += 1
        return told

    async def _end(self, client: Client, path: str) -> None:
        etag = (await client.ask("GET", path, self.rules.admin))["etag"]
        await self._wait_for_turn()
        await client.ask("DELETE", path, self.rules.admin, if_match=etag)
        self.made += 1

    async def _wait_for_turn(self) -> None:
        mine = self.turn = max(self.turn + 1 / CHANGES_PER_SECOND, time.monotonic())
        await asyncio.sleep(mine - time.monotonic())
