"""The rules of a soak: its keys, budgets and limits, watched while calls go on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from string import ascii_lowercase

from tools.soak_calls import Client, Json, tokens_cost

POLL_SECONDS = 0.25
NEAR_A_KILL = (OSError, ValueError, EOFError)  # what a poll may meet then; one that hears nothing asks again


@dataclass
class Budget:
    """One budget as it was made. `limit` is the highest that it may have by now; `step` is added after each restart."""

    id: str
    scope: Json
    window: str
    limit: int
    step: int
    tag: str = ""  # of all models that are called with its key, where it has one
    overshoot: int = 0
    served_above: int = 0
    spent: int = 0
    reserved: int = 0

    def covers(self, record: Json) -> bool:
        """Tell whether it counts a call."""
        kind, subject = str(self.scope["type"]), self.scope.get("id")
        return kind == "org" or subject == record[{"key": "key_id", "model": "model"}[kind]]

    def served(self, by_model: Mapping[str, Json]) -> int:
        """Return what the provider says that it served of the calls that it counts. It names models without `sim/`."""
        return sum(tokens_cost(counts) for model, counts in by_model.items() if self._covers_model(f"sim/{model}"))

    def _covers_model(self, model: str) -> bool:
        if self.scope["type"] == "key":
            return model.startswith(f"sim/{self.tag}")
        return bool(self.scope["type"] == "org" or model == self.scope["id"])


@dataclass
class Limit:
    id: str
    unit: str
    most: int
    above: int = 0
    used: int = 0


@dataclass
class Rules:
    """All of them, by their ids, and the keys that calls are made with: secret and share of the calls."""

    admin: str
    large: str = ""
    budgets: dict[str, Budget] = field(default_factory=dict)
    limits: dict[str, Limit] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    key_ids: dict[str, str] = field(default_factory=dict)  # by the secret
    tags: dict[str, str] = field(default_factory=dict)  # by the secret, of the keys with a budget of their own
    polls: int = 0

    async def make(self, client: Client, calls: int) -> None:
        """Make everything. `calls` is how many there will be."""
        await self.add_key(client, 60)  # one without rules of its own
        small, poor, slow, bursting, topped = [await self.add_key(client, share) for share in (8, 3, 10, 7, 12)]
        self.large = await self.add_budget(client, {"type": "org"}, "total", max(calls, 1_000) * 1_000_000)
        await self.add_budget(client, {"type": "org"}, "month", max(calls, 1_000) * 1_000_000)
        await self.add_budget(client, {"type": "key", "id": small}, "rolling:60", 300_000)
        # Wide enough that most of a short run is still in it at the end.
        await self.add_budget(client, {"type": "model", "id": "sim/whole-chunks8"}, "rolling:300", 1_500_000)
        await self.add_budget(client, {"type": "key", "id": poor}, "day", 12_000)  # less than any call may cost
        await self.add_budget(client, {"type": "key", "id": topped}, "total", 250_000, 400_000)
        await self.add_budget(client, {"type": "model", "id": "sim/told-chunks30"}, "total", 150_000, 300_000)
        await self.add_budget(client, {"type": "model", "id": "sim/early-lat400-chunks20"}, "week", 60_000, 60_000)
        self.tag_keys()
        await self.add_limit(client, slow, "requests", 60, window_seconds=10)
        await self.add_limit(client, slow, "concurrent", 12)
        await self.add_limit(client, bursting, "requests", 20, window_seconds=5, burst=30)
        await self.add_limit(client, bursting, "tokens", 4_000, window_seconds=20)

    async def watch(self, client: Client) -> None:
        """Look at all counters again and again, and note whatever is above its limit."""
        while True:
            try:
                await self.look(client)
            except NEAR_A_KILL:
                client.close()
            await asyncio.sleep(POLL_SECONDS)

    async def look(self, client: Client) -> None:
        """Look once. Raises one of NEAR_A_KILL where there was no answer."""
        for shown in [shown async for shown in client.listed("/api/v1/budgets?limit=100", self.admin)]:
            budget = self.budgets.get(shown["id"])
            if budget is None:
                continue  # made beside the load, and soon gone
            budget.spent, budget.reserved = shown["spent_nano_usd"], shown["reserved_nano_usd"]
            budget.overshoot = max(budget.overshoot, budget.spent + budget.reserved - budget.limit)
        for shown in [shown async for shown in client.listed("/api/v1/limits?limit=100", self.admin)]:
            limit = self.limits.get(shown["id"])
            if limit is None:
                continue
            limit.used = shown["used"]
            # Tokens are estimated when a call is let in, and may turn out to be more.
            limit.above = max(limit.above, 0 if limit.unit == "tokens" else limit.used - limit.most)
        self.polls += 1

    def heed(self, by_model: Mapping[str, Json]) -> None:
        """Note by how much what the provider has served is above a budget. A rolling one may have begun anew."""
        for budget in self.budgets.values():
            if not budget.window.startswith("rolling"):
                budget.served_above = max(budget.served_above, budget.served(by_model) - budget.limit)

    async def top_up(self, client: Client) -> None:
        """Raise the small budgets, so that their ends are met again."""
        for budget in [budget for budget in self.budgets.values() if budget.step]:
            await self.raise_budget(client, budget, budget.step)

    async def raise_budget(self, client: Client, budget: Budget, step: int) -> None:
        """Raise one. Raises one of NEAR_A_KILL."""
        path = f"/api/v1/budgets/{budget.id}"
        budget.limit += step  # before it is so: what is read meanwhile is below either
        etag = (await client.ask("GET", path, self.admin))["etag"]
        await client.ask("PATCH", path, self.admin, {"limit_nano_usd": budget.limit}, if_match=etag)

    def held(self) -> int:
        """How many budgets still have something set aside, and calls that concurrency limits think are under way."""
        budgets = sum(1 for budget in self.budgets.values() if budget.reserved)
        return budgets + sum(limit.used for limit in self.limits.values() if limit.unit == "concurrent")

    def tag_keys(self) -> None:
        """Have keys with a budget of their own call models of their own: so the provider's counts tell them apart."""
        secrets = {key_id: secret for secret, key_id in self.key_ids.items()}
        owned = [budget for budget in self.budgets.values() if budget.scope["type"] == "key"]
        for letter, budget in zip(ascii_lowercase, owned, strict=False):
            budget.tag = self.tags[secrets[budget.scope["id"]]] = f"{letter}z"

    async def add_key(self, client: Client, share: int) -> str:
        made = (await client.ask("POST", "/api/v1/keys", self.admin, {"name": f"soak {share}"}))["data"]
        if share:
            self.keys[made["secret"]] = share
        self.key_ids[made["secret"]] = made["id"]
        return str(made["id"])

    async def add_budget(self, client: Client, scope: Json, window: str, limit: int, step: int = 0) -> str:
        body = {"scope": scope, "window": window, "limit_nano_usd": limit}
        made = (await client.ask("POST", "/api/v1/budgets", self.admin, body))["data"]
        self.budgets[made["id"]] = Budget(made["id"], scope, window, limit, step)
        return str(made["id"])

    async def add_limit(self, client: Client, key_id: str, unit: str, most: int, **fields: int) -> None:
        body = {"scope": {"type": "key", "id": key_id}, "unit": unit, "limit": most, **fields}
        made = (await client.ask("POST", "/api/v1/limits", self.admin, body))["data"]
        self.limits[made["id"]] = Limit(made["id"], unit, fields.get("burst", most))
