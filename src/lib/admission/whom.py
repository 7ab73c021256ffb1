"""Which rules concern a call: looked up by who stands on its path, however many rules there are."""

from __future__ import annotations

from collections.abc import Iterator

from lib.admission.rules import EACH, Budget, Limit, Path, Policy, standing


class Index:
    """The rules of an organisation by what they reach, and whom."""

    def __init__(self, policy: Policy) -> None:
        self._each: dict[str, list[tuple[int, Limit | Budget]]] = {}
        self._single: dict[str, dict[str, list[tuple[int, Limit | Budget]]]] = {}
        for order, rule in enumerate(policy.rules):
            reach, who = rule.scope.reach, rule.scope.id
            if who == EACH:
                self._each.setdefault(reach, []).append((order, rule))
            else:
                self._single.setdefault(reach, {}).setdefault(who, []).append((order, rule))

    def places(self, path: Path) -> list[tuple[str, str]]:
        """Return each rule on a path with whose counter it is: limits first, each kind in the order of the rules."""
        found = sorted(self._found(path), key=lambda entry: entry[0])
        return [(rule.id, who) for _, rule, who in found if rule.scope.concerns(path)]

    def _found(self, path: Path) -> Iterator[tuple[int, Limit | Budget, str]]:
        for reach, rules in self._each.items():
            for who in standing(path, reach):
                yield from ((order, rule, who) for order, rule in rules)
        for reach, known in self._single.items():
            for who in dict.fromkeys(standing(path, reach)):
                yield from ((order, rule, who) for order, rule in known.get(who, ()))
