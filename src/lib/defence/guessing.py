"""How often somebody may try: what a Guard object remembers of one account, or of one network. Pure: times are ms.

Each attempt from one network counts against that network and that account together, and after some failures each next
one has to wait longer. What others do may not keep the owner out:

- A network from which the owner has signed in before is known. It waits for nobody's failures but its own, and never
  longer than LONGEST_OWNER_MS.
- When an account is under attack from many networks, an unknown one has to wait too, but only since its own first
  attempt, and never longer than LONGEST_OWNER_MS. Nobody takes anybody's turn: who comes back as told may try.
- Where so many networks try that they can't all be remembered, that last rule lets everybody pass, and each network's
  own count is what is left.

Some purposes have one turn for all (`shared`), where that locks nobody out: a code at sign-in is only asked for once
the password was right, and who is kept from asking for a mail has one already.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from lib.kernel.bounded import keep

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

LONGEST_OWNER_MS = 30 * SECOND_MS
# An attempt under way counts as one that fails, else many at once would all be the first. It ends by itself.
UNDER_WAY_MS = 20 * SECOND_MS
KNOWN_MS = 90 * DAY_MS
MOST_KNOWN = 20
MOST_NETWORKS = 1_000
MOST_FAILURES = 40  # more are not counted: so it takes a bounded time to forget them
# An account is under attack from many networks.
FREE_OF_ALL = 20
FORGET_OF_ALL_MS = MINUTE_MS


@dataclass(frozen=True, slots=True)
class Rule:
    """After `free` failures, the first wait, which doubles up to the longest. One failure is forgotten in each
    `forget_ms` without another. `shared`: one turn for all networks.
    """

    free: int
    first_ms: int
    longest_ms: int
    forget_ms: int
    shared: bool = False

    @property
    def most(self) -> int:
        """How many failures are counted."""
        return max(MOST_FAILURES, self.free + 10)

    def wait_ms(self, failures: int, longest_ms: int | None = None) -> int:
        """Return how long after its last failure the next attempt may come."""
        if failures < self.free:
            return 0
        longest = self.longest_ms if longest_ms is None else min(longest_ms, self.longest_ms)
        return min(self.first_ms << min(failures - self.free, 30), longest)


_PASSWORD = Rule(free=5, first_ms=SECOND_MS, longest_ms=15 * MINUTE_MS, forget_ms=HOUR_MS)
_CODE = Rule(free=5, first_ms=2 * SECOND_MS, longest_ms=HOUR_MS, forget_ms=2 * HOUR_MS, shared=True)
_MAIL = Rule(free=3, first_ms=30 * SECOND_MS, longest_ms=5 * MINUTE_MS, forget_ms=10 * MINUTE_MS, shared=True)
_NETWORK = Rule(free=30, first_ms=SECOND_MS, longest_ms=5 * MINUTE_MS, forget_ms=10 * MINUTE_MS, shared=True)
# Whoever brings a whole company sends a hundred at once, from one desk or one server, and then one a minute.
_INVITING = Rule(free=100, first_ms=SECOND_MS, longest_ms=MINUTE_MS, forget_ms=MINUTE_MS, shared=True)
_MAILS = ("reset", "sign_up", "change_email", "new_address", "invitation")
_OF_ACCOUNTS = {"totp": _CODE, "inviting": _INVITING, **dict.fromkeys(_MAILS, _MAIL)}
_OF_NETWORKS = {"invitation": _INVITING}


def rule_of(purpose: str, *, network: bool) -> Rule:
    """Return the rule of a purpose: for all that a network tries, or for one account."""
    return _OF_NETWORKS.get(purpose, _NETWORK) if network else _OF_ACCOUNTS.get(purpose, _PASSWORD)


@dataclass(slots=True)
class _Count:
    """Failures, and when the last was."""

    failures: int = 0
    last_ms: int = 0

    def left(self, now_ms: int, forget_ms: int) -> int:
        return max(0, self.failures - max(0, now_ms - self.last_ms) // forget_ms)

    def add(self, now_ms: int, forget_ms: int, most: int = MOST_FAILURES) -> None:
        self.failures = min(most, self.left(now_ms, forget_ms) + 1)
        self.last_ms = now_ms


@dataclass(slots=True)
class Attempts:
    """What is remembered of one account, or of one network's attempts on all accounts (then `network` is "")."""

    rule: Rule
    _counts: dict[str, _Count] = field(default_factory=dict)  # by network, the one that failed last at the end
    _all: _Count = field(default_factory=_Count)
    _known: dict[str, int] = field(default_factory=dict)  # networks and when they were used; the last at the end
    # Not kept when the object goes: it would only make somebody wait.
    # When an unknown network came, or tried last; and how long it was told to wait from then on, 0 where it was not.
    _since: dict[str, tuple[int, int]] = field(default_factory=dict)
    _under_way: dict[str, list[int]] = field(default_factory=dict)

    def knows(self, network: str, now_ms: int) -> bool:
        """Tell whether the owner has come from there."""
        return now_ms - self._known.get(network, now_ms - KNOWN_MS) < KNOWN_MS

    def attempt(self, network: str, now_ms: int) -> int:
        """Return 0, and count an attempt as under way; or how many ms to wait before another is worth it."""
        name = self._name(network)
        known = self.knows(network, now_ms)
        due = self._own_due(name, now_ms, LONGEST_OWNER_MS if known else None)
        if not self.rule.shared and not known:
            due = max(due, self._due_for_all(name, now_ms))
        if due > now_ms:
            return due - now_ms
        self._under_way.setdefault(name, []).append(now_ms)
        if name in self._since:
            self._since[name] = now_ms, 0
        return 0

    def failed(self, network: str, now_ms: int) -> None:
        """Note that an attempt has failed."""
        self.released(network)
        name = self._name(network)
        count = self._counts.get(name, _Count())
        count.add(now_ms, self.rule.forget_ms, self.rule.most)
        keep(self._counts, name, count, MOST_NETWORKS)
        self._all.add(now_ms, FORGET_OF_ALL_MS)

    def succeeded(self, network: str, now_ms: int) -> None:
        """Note that the owner has come from there: its own failures are forgotten, not those of others."""
        self.released(network)
        self._counts.pop(self._name(network), None)
        keep(self._known, network, now_ms, MOST_KNOWN)

    def released(self, network: str) -> None:
        """Note that an attempt under way has ended without a result."""
        name = self._name(network)
        under_way = self._under_way.get(name, [])[1:]
        if under_way:
            self._under_way[name] = under_way
        else:
            self._under_way.pop(name, None)

    def forgets_at(self) -> int:
        """Return when there will be nothing left to remember."""
        ends = [count.last_ms + count.failures * self.rule.forget_ms for count in self._counts.values()]
        ends += [used + KNOWN_MS for used in self._known.values()]
        return max([*ends, self._all.last_ms + self._all.failures * FORGET_OF_ALL_MS])

    def to_json(self) -> str:
        """Return what `from_json` takes. Attempts under way are left out."""
        counts = {name: [count.failures, count.last_ms] for name, count in self._counts.items()}
        return json.dumps([counts, [self._all.failures, self._all.last_ms], self._known], separators=(",", ":"))

    @classmethod
    def from_json(cls, rule: Rule, text: str) -> Attempts:
        """Return what was kept."""
        counts, of_all, known = json.loads(text)
        return cls(rule, {name: _Count(*parts) for name, parts in counts.items()}, _Count(*of_all), known)

    def _name(self, network: str) -> str:
        return "" if self.rule.shared else network

    def _own_due(self, name: str, now_ms: int, longest_ms: int | None) -> int:
        count = self._counts.get(name, _Count())
        under_way = [began for began in self._under_way.get(name, []) if now_ms - began < UNDER_WAY_MS]
        self._under_way[name] = under_way
        failures = count.left(now_ms, self.rule.forget_ms) + len(under_way)
        wait = self.rule.wait_ms(failures, longest_ms)
        return max([count.last_ms, *under_way]) + wait if wait else 0

    def _due_for_all(self, name: str, now_ms: int) -> int:
        """Return when an unknown network may try although others have failed often.

        What it was told holds, however often strangers fail meanwhile: else they could keep it waiting.
        """
        recent = now_ms - 2 * LONGEST_OWNER_MS
        self._since = {each: told for each, told in self._since.items() if told[0] > recent}
        failures = self._all.left(now_ms, FORGET_OF_ALL_MS)
        if failures < FREE_OF_ALL or (name not in self._since and len(self._since) >= MOST_NETWORKS):
            return 0
        since, wait = self._since.get(name, (now_ms, 0))
        wait = wait or min(SECOND_MS << min(failures - FREE_OF_ALL, 30), LONGEST_OWNER_MS)
        self._since[name] = since, wait
        return since + wait
