"""An organisation's limits and budgets as its gate knows them, and whom each concerns.

A call comes along a path: its organisation, team, user, key, model and end user, as far as there are any. A rule has a
scope on that path, and counts for every call that passes it. A key stands there with the keys it comes from:

    key        the first of those that replaced each other, of which the caller shows one: all count on it
    minter     the key that a browser's key was minted with; its calls are that key's by another hand
    makers     the keys behind it, with which the one before was made
    member_of  other teams of the member whose call it is, where a rule of theirs covers its members' own calls
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Path = Mapping[str, str]  # the name of a level → who stands there
EACH = "*"
LEASED = "leased"  # of an organisation whose regions may decide: see docs/scaling.md
MOST_END_USER = 128  # characters of an end user's name, as the ledger has it
NAMELESS = ""  # stands in the place of an end user that is no text
_SEVERAL = ("makers", "member_of")  # ids with a space between them
# What a rule counts on, by its reach: on all who stand on these levels. One key's rule counts what was made with it. Of
# a rule for each key that would be too much: who makes keys for all would have a single key's amount for all.
_LEVELS = {"key": ("key", "minter"), "line": ("key", "minter", "makers"), "members": ("team", "member_of")}
REACHES = ("org", "team", "members", "user", "key", "line", "model", "end_user")
MOST_AMOUNT = 2**53  # of a budget, in nano-dollars, with all that is added to it: what every JSON reader holds


class Unit(StrEnum):
    """What a limit counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    CONCURRENT = "concurrent"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a rule concerns: one on a level, or each (`*`) by itself; with `model`, only in calls to that model.

    `covers_members`: a team's rule also counts what its members do, signed in or with keys of their own.
    """

    type: str
    id: str
    model: str | None = None
    covers_members: bool = False

    @property
    def reach(self) -> str:
        """Return the name of what it reaches on a path: see `standing`."""
        if self.type == "key" and self.id != EACH:
            return "line"
        return "members" if self.covers_members else self.type

    def concerns(self, path: Path) -> bool:
        """Tell whether it is about calls of this path's model."""
        return self.model is None or self.model == path.get("model")

    def subjects(self, path: Path) -> list[str]:
        """Return on whose counters a call counts; none where the rule does not concern it."""
        found = standing(path, self.reach) if self.concerns(path) else []
        return found if self.id == EACH else [self.id] if self.id in found else []


def standing(path: Path, reach: str) -> list[str]:
    """Return who stands on a path as far as a rule of this reach sees it."""
    found: list[str] = []
    for level in _LEVELS.get(reach, (reach,)):
        who = path.get(level)
        if who:
            found += who.split(" ") if level in _SEVERAL else [who]
    return found


@dataclass(frozen=True, slots=True)
class Limit:
    """So many of a unit in a window of so many milliseconds, or at once. With `burst` the algorithm is GCRA."""

    id: str
    scope: Subject
    unit: Unit
    most: int
    window_ms: int
    burst: int | None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What changes a budget's amount for a while: an override takes its place, a top-up is added.

    It holds before `until_ms` (milliseconds since 1970); None: until it is deleted.
    """

    override: bool
    amount: int
    until_ms: int | None


@dataclass(frozen=True, slots=True)
class Budget:
    """So many nano-dollars in a window: `total`, `day`, `week`, `month` or `rolling:SECONDS`. A hard one refuses.

    `adjustments` are newest first.
    """

    id: str
    scope: Subject
    window: str
    most: int
    hard: bool
    adjustments: tuple[Adjustment, ...] = ()
    name: str | None = None

    def most_at(self, now: int) -> int:
        """Return the amount at a moment: of the newest override that holds, or else its own; and all top-ups."""
        if not self.adjustments:
            return self.most
        return effective(self.most, self.adjustments, now)


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules of an organisation. `time_zone` is an IANA name: where its days begin.

    `leased`: regions may decide under leases, see docs/scaling.md.
    """

    time_zone: str
    limits: tuple[Limit, ...]
    budgets: tuple[Budget, ...]
    leased: bool = False

    @property
    def empty(self) -> bool:
        return not self.limits and not self.budgets

    @property
    def covering(self) -> set[str]:
        """The teams of which some rule covers the members."""
        return {rule.scope.id for rule in self.rules if rule.scope.covers_members}

    @property
    def rules(self) -> list[Limit | Budget]:
        """All of them, limits first."""
        return [*self.limits, *self.budgets]


NO_POLICY = Policy("UTC", (), ())
NO_RULES = '{"time_zone":"UTC","limits":[],"budgets":[]}'


def parse_policy(text: str) -> Policy:
    """Return the policy that `lib.admission.policy_store.load_policy` has written."""
    parsed = json.loads(text)
    return Policy(
        parsed["time_zone"],
        tuple(
            Limit(
                entry["id"],
                _scope(entry),
                Unit(entry["unit"]),
                entry["limit"],
                entry["window_ms"] or 0,
                entry["burst"],
                entry.get("name"),  # a text from before there were names has none
            )
            for entry in parsed["limits"]
        ),
        tuple(
            Budget(
                entry["id"],
                _scope(entry),
                entry["window"],
                entry["limit"],
                entry["mode"] == "hard",
                # A text from before there were adjustments has none.
                tuple(Adjustment(*adjustment) for adjustment in entry.get("adjustments", ())),
                entry.get("name"),
            )
            for entry in parsed["budgets"]
        ),
        parsed.get("admission") == LEASED,
    )


def changed(policy: str, change: str, now_ms: int) -> str:
    """Return the text of a policy in which one rule has come, changed or gone.

    `change` is a JSON object: `{"limit": …}` or `{"budget": …}` with the rule as it stands in the policy, or
    `{"gone": id}`. One that says a lower `version` than the rule there has come too late, and changes nothing.
    A rule with `until_ms` is forgotten from then on: that of a browser's key, which has ended.
    """
    parsed, told = json.loads(policy), json.loads(change)
    for kind in ("limit", "budget"):
        rules = {rule["id"]: rule for rule in parsed[f"{kind}s"]}
        rules.pop(told.get("gone"), None)
        rule = told.get(kind)
        if rule is not None and rule.get("version", 0) >= rules.get(rule["id"], rule).get("version", 0):
            rules[rule["id"]] = rule
        lasting = {name: rule for name, rule in rules.items() if rule.get("until_ms", now_ms + 1) > now_ms}
        parsed[f"{kind}s"] = [lasting[name] for name in sorted(lasting)]
    return json.dumps(parsed, ensure_ascii=False, separators=(",", ":"))


def effective(most: int, adjustments: Sequence[Adjustment], now: int) -> int:
    """Return what a budget of `most` comes to at a moment, at most MOST_AMOUNT. `adjustments` are newest first."""
    holding = [one for one in adjustments if one.until_ms is None or now < one.until_ms]
    amount = next((one.amount for one in holding if one.override), most)
    return min(MOST_AMOUNT, amount + sum(one.amount for one in holding if not one.override))


def _scope(entry: Mapping[str, Any]) -> Subject:
    scope = entry["scope"]
    # A text from before rules could cover members says nothing of it.
    return Subject(scope["type"], scope["id"], scope["model"], scope.get("covers") == "members")
