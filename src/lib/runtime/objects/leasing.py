"""The way between an organisation's gate and those of its regions: see docs/scaling.md.

A region's gate is an object of the same class, named by the organisation and the region. It asks the home; the home
calls it only to have it ask, or to be told what it has. Where either is away, what is leased stays counted.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Container
from typing import Any

import js

from lib.admission.home_gate import HomeGate
from lib.admission.regional_gate import Everything, RegionalGate
from lib.admission.shelf import Place
from lib.kernel.errors import Unavailable
from lib.runtime.objects.gate_calls import GateCalls

# How long nobody waits for a region that has not answered.
SILENT_MS = 5_000
# How often the same is called back at most.
RECALL_EVERY_MS = 100
# How often a region with leases asks, when nothing else has it ask.
TICK_MS = 1_000
_POLL_MS = 5


def now_ms() -> int:
    return int(time.time() * 1000)


class Home:
    """The home's side: it has its regions told, and asks them."""

    def __init__(self, gate: HomeGate, org_id: str, calls: GateCalls) -> None:
        self.gate = gate
        self._org_id = org_id
        self._calls = calls
        self._silent: dict[str, int] = {}  # until when
        self._recalled: dict[Place, int] = {}  # when

    @property
    def alone(self) -> bool:
        """Tell whether no region has ever asked."""
        return not self.gate.leases.regions

    async def changed(self) -> None:
        """Return when no region decides by an old policy any more: it has heard, or its lease of it is over."""
        until = self.gate.leases.deciding(now_ms())
        await asyncio.gather(*(self._tell(region, self.gate.leases.edition, at) for region, at in until.items()))

    async def _tell(self, region: str, edition: int, until: int) -> None:
        while now_ms() < until:
            try:
                await self._calls.call(self._name(region), "recall", edition, "")
            except Unavailable:
                await js.scheduler.wait(min(RECALL_EVERY_MS, max(1, until - now_ms())))
            else:
                return

    async def recall(self) -> bool:
        """Have come back what has refused somebody and is not used; tell whether anybody was asked."""
        now, places = now_ms(), set(self.gate.recallable)
        self.gate.recallable.clear()
        due = [place for place in places if now - self._recalled.get(place, 0) >= RECALL_EVERY_MS]
        holders = {region for place in due for region in self.gate.leases.holders(*place)}
        asked = [region for region in holders if self._silent.get(region, 0) <= now]
        if not asked:
            return False
        self._recalled = {place: at for place, at in self._recalled.items() if now - at < RECALL_EVERY_MS}
        for place in due:
            self._recalled[place] = now
            self.gate.leases.rest(*place, now)
        await asyncio.gather(*(self._call_back(region, json.dumps(due)) for region in asked))
        return True

    async def _call_back(self, region: str, places: str) -> None:
        try:
            await self._calls.call(self._name(region), "recall", self.gate.leases.edition, places)
        except Unavailable:
            self._silent[region] = now_ms() + SILENT_MS

    async def ask(self, method: str, *arguments: object) -> list[Any]:
        """Return what each region answers. Raises Unavailable."""
        names = map(self._name, self.gate.leases.regions)
        return await asyncio.gather(*(self._calls.call(name, method, *arguments) for name in names))

    def _name(self, region: str) -> str:
        return f"{self._org_id}@{region}"


class Abroad:
    """A region's side: it asks the home for what it needs, and gives back what it does not."""

    def __init__(self, gate: RegionalGate, org_id: str, region: str, calls: GateCalls) -> None:
        self._gate = gate
        self._org_id = org_id
        self._name = region
        self._calls = calls
        self._busy = False

    def look(self, now: int) -> None:
        """Ask the home where it is time to, without waiting for the answer."""
        if not self._busy and self._gate.region.due(now):
            asyncio.ensure_future(self.trade())  # noqa: RUF006 - the object lives on while it waits for an answer

    async def tick(self, now: int) -> int | None:
        """Tell the home what it does not know; return when to do so again, None where nothing is leased."""
        if self._gate.region.unsettled() and not self._busy:
            await self.trade(Everything() if self._gate.region.idle(now) else ())
        return now_ms() + TICK_MS if self._gate.region.unsettled() else None

    async def recall(self, edition: int, places: str) -> None:
        """Hear that the policy is of this edition; have some places' leases go back."""
        region = self._gate.region
        region.recall(edition)
        if places:
            await self.trade([(rule, subject) for rule, subject, *_ in json.loads(places)])
        elif region.unsettled():
            asyncio.ensure_future(self.trade())  # noqa: RUF006 - as above

    async def trade(self, back: Container[Place] = ()) -> None:
        """Exchange with the home, once or as often as it takes for `back` to go back."""
        while self._busy:
            await js.scheduler.wait(_POLL_MS)
        self._busy = True
        try:
            is_old = self._gate.region.waits
            await self._exchange(back)
            if is_old and not isinstance(back, tuple):
                await self._exchange(back)
            if not self._gate.region.decides(now_ms()) and self._gate.region.unsettled():
                await self._exchange(Everything())  # nobody may decide here any more
        except Unavailable:
            pass  # the next time, or the alarm, asks again
        finally:
            self._busy = False

    async def _exchange(self, back: Container[Place]) -> None:
        sent = now_ms()
        message = self._gate.message(sent, back)
        told = await self._calls.call(self._org_id, "exchange", self._name, message, self._gate.region.edition)
        self._gate.hear(told, sent, now_ms())
