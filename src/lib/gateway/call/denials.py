"""Refusals that last: while a limit of requests refuses everybody at a place, the gate need not be asked again.

Only a limit of requests is remembered. It refuses each call alike until its time is over; what refuses by tokens
depends on the call's size, and places and money are given back at any moment. A denial holds for one version of the
policy, and is counted from before the gate was asked, so it never lasts longer than the gate's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

from lib.admission.protocol import Answer
from lib.admission.rules import REACHES, standing
from lib.gateway.call.admitting import Place, RequestsRefused, admitted
from lib.gateway.call.refusing import Told
from lib.gateway.callers.cache import SHORTEST_SECONDS, Cache, NoCache
from lib.gateway.callers.caller import Caller
from lib.http.response import LogFacts
from lib.kernel.bounded import keep
from lib.kernel.errors import TooManyRequests

TRUSTED_MS = (
    5_000  # how long a denial is believed before the gate is asked again: another isolate may know a new policy
)
CLOCKS_APART_MS = 1_000  # how far the clocks of two machines may be apart
MOST_ORGS = 200
MOST_PLACES = 100  # of one organisation


def denial_name(key_hash: str) -> str:
    """Return the name in KV of what refuses the calls of a key."""
    return f"denied:{key_hash}"


@dataclass(slots=True)
class Denial:
    """What refuses all calls at a place until `until_ms`. `rate` is its limit: most, window, and when it is empty.
    `told` is what else is told of the rule.
    """

    rule: str
    told: tuple[Any, ...]
    version: int
    until_ms: int
    rate: tuple[int, int, int]
    trusted_until_ms: int | None = None  # None: it came from KV, and is believed from its first use on

    def refusal(self, now_ms: int) -> TooManyRequests:
        """Return the gate's refusal as it would be now."""
        most, window_ms, empty_at_ms = self.rate
        rates = {"requests": [most, 0, window_ms, max(0, empty_at_ms - now_ms)]}
        try:
            wait_ms = self.until_ms - now_ms
            admitted(Answer("requests_limit_reached", self.rule, wait_ms, None, (rates, None), about=self.told))
        except TooManyRequests as refusal:
            refusal.finish = _remembered
            return refusal
        raise AssertionError("a refusal lets nobody in")


class Denials:
    """What an isolate remembers of refusals. Bounded: the oldest make room, and their calls ask the gate."""

    def __init__(self, cache: Cache | None = None) -> None:
        self._cache = cache or NoCache()
        self._known: dict[str, dict[Place, Denial]] = {}
        self._published: dict[str, int] = {}  # by key hash: until when KV says that it is refused

    def any_of(self, org_id: str) -> bool:
        """Tell whether anything is known of an organisation: else nothing need be checked."""
        return org_id in self._known

    def check(self, account: Caller, levels: Mapping[str, str], now_ms: int) -> None:
        """Raise TooManyRequests when a call on this path can't be let in now."""
        places = self._known.get(account.principal.org_id, {})
        for reach in REACHES:
            for who in standing(levels, reach):
                for model in (None, levels["model"]):
                    denial = self._current(places, (reach, who, model), account.version, now_ms)
                    if denial is not None:
                        raise denial.refusal(now_ms)

    def remember(self, account: Caller, refused: RequestsRefused, asked_ms: int) -> None:
        """Keep what the gate has answered to a call that asked at `asked_ms`; its `finish` tells KV where it lasts."""
        if account.version is None:
            return
        most, _, window_ms, resets_ms = refused.rate
        until_ms = asked_ms + refused.wait_ms
        denial = Denial(
            refused.rule,
            astuple(refused.told),
            account.version,
            until_ms,
            (most, window_ms, asked_ms + resets_ms),
            asked_ms + TRUSTED_MS,
        )
        self._keep(account.principal.org_id, refused.place, denial)
        told = self._published.get(account.key_hash, 0)
        lasting = account.key_hash and refused.wait_ms >= SHORTEST_SECONDS * 1000 + CLOCKS_APART_MS
        if lasting and abs(told - until_ms) > CLOCKS_APART_MS:
            keep(self._published, account.key_hash, until_ms, MOST_ORGS * MOST_PLACES)

            async def publish() -> LogFacts:
                parts = refused.place, denial.rule, denial.told, denial.version, until_ms - CLOCKS_APART_MS, denial.rate
                text = json.dumps(parts)
                await self._cache.put(denial_name(account.key_hash), text, refused.wait_ms // 1000)
                return {}

            refused.finish = publish

    def forget(self, org_id: str) -> None:
        """Drop what is known of an organisation: its rules have changed, so its calls ask the gate."""
        self._known.pop(org_id, None)

    def recall(self, org_id: str, text: str) -> None:
        """Take a denial that another isolate has put into KV. What can't be read is none."""
        try:
            (reach, who, model), rule, told, version, until_ms, (most, window_ms, empty_at_ms) = json.loads(text)
            denial = Denial(
                rule, astuple(Told(*told)), version, int(until_ms), (int(most), int(window_ms), int(empty_at_ms))
            )
        except (ValueError, TypeError):
            return
        known = self._known.get(org_id, {}).get((reach, who, model))
        if known is None or known.version != version:  # what is known is not believed for longer because KV has it too
            self._keep(org_id, (reach, who, model), denial)

    def _current(self, places: dict[Place, Denial], place: Place, version: int | None, now_ms: int) -> Denial | None:
        denial = places.get(place)
        if denial is None:
            return None
        if denial.version != version or denial.until_ms <= now_ms:
            del places[place]
            return None
        if denial.trusted_until_ms is None:
            denial.trusted_until_ms = now_ms + TRUSTED_MS
        return denial if now_ms < denial.trusted_until_ms else None

    def _keep(self, org_id: str, place: Place, denial: Denial) -> None:
        places = self._known.get(org_id)
        if places is None:
            keep(self._known, org_id, places := {}, MOST_ORGS)
        keep(places, place, denial, MOST_PLACES)


async def _remembered() -> LogFacts:
    return {"denial": "remembered"}
