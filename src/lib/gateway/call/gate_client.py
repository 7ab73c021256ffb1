"""The gates as an isolate knows them, over any way to call one: all but how a call is let in and settled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from lib.admission import protocol
from lib.admission.counters import Counted, Counter, Place, Remembered
from lib.admission.decision import Ask, Refusal
from lib.admission.protocol import IS_NEW, NO_VERSION
from lib.gateway.callers.caller import Caller, StaleAccount
from lib.gateway.callers.callers import Callers


class Calls(Protocol):
    """The way to the gates."""

    async def call(self, org_id: str, name: str, *arguments: object) -> Any:
        """Return what a gate's method returns. Raises Unavailable where there is no answer."""
        ...


class GateClient:
    """Implements `lib.admission.org_gates.OrgGates`, and `confirm` of `lib.gateway.call.settlement.Gates`."""

    def __init__(self, calls: Calls, callers: Callers) -> None:
        self._calls = calls
        self._callers = callers

    async def confirm(self, account: Caller) -> None:
        if account.is_new:
            return
        told = await self._calls.call(account.principal.org_id, "batch", account.version or NO_VERSION, "[]")
        self._confirm(account, protocol.told_of(told).version)

    async def accounts_changed(self, org_id: str) -> None:
        self._callers.policy_is(org_id, int(await self._calls.call(org_id, "bump")))

    async def rules_changed(self, org_id: str) -> None:
        self._note_rules(org_id, await self._calls.call(org_id, "rules"))

    async def rule_changed(self, org_id: str, change: str) -> None:
        self._note_rules(org_id, await self._calls.call(org_id, "rule", change))

    async def flush(self, org_id: str) -> None:
        await self._calls.call(org_id, "flush")

    async def counters(self, org_id: str) -> Mapping[str, Counter]:
        return protocol.counters_of(await self._calls.call(org_id, "counters"))

    async def accounts(self, org_id: str, budget_id: str, after: str, most: int) -> Counted | None:
        return protocol.counted_of(await self._calls.call(org_id, "accounts", budget_id, after, most))

    async def places(self, org_id: str, call_ids: Sequence[str]) -> Mapping[str, Sequence[Place]]:
        return protocol.places_of(await self._calls.call(org_id, "places", json.dumps(call_ids)))

    async def remembered(self, org_id: str, after: str, most: int) -> Sequence[Remembered]:
        return protocol.remembered_of(await self._calls.call(org_id, "remembered", after, most))

    async def refused(self, org_id: str) -> int:
        return int(await self._calls.call(org_id, "refused"))

    async def explain(self, org_id: str, ask: Ask) -> Refusal | None:
        return protocol.refusal_of(await self._calls.call(org_id, "explain", ask.to_json()))

    def _note_rules(self, org_id: str, version: int) -> None:
        self._callers.policy_is(org_id, int(version))
        self._callers.rules_changed(org_id)

    def _confirm(self, account: Caller, current: int) -> None:
        """Raise StaleAccount where a caller was judged by another policy than the current one."""
        if current != (account.version or NO_VERSION):
            self._callers.policy_is(account.principal.org_id, current)
            if not account.is_new:
                raise StaleAccount(current)


def judged_by(account: Caller) -> int:
    """Return the version to send: that of the policy by which a caller was judged."""
    return IS_NEW if account.is_new else account.version or NO_VERSION
