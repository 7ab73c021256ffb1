"""The rules of a gate change while it counts: what changed is taken up, and nothing else moves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.admission.test_gate_rules import BUDGET, REQUESTS, Subject, opening, settling

KEY_BUDGET = BUDGET | {"id": "k", "scope": {"type": "key", "id": "k", "model": None}}
COVERING = BUDGET | {"id": "t", "scope": {"type": "team", "id": "t1", "model": None, "covers": "members"}}


@pytest.mark.parametrize(
    ("before", "change", "after", "newer"),
    [
        ([], {"budget": BUDGET}, ["b"], True),
        ([], {"gone": "b"}, [], False),
        ([BUDGET], {"limit": REQUESTS}, ["b", "r"], False),
        ([BUDGET, REQUESTS], {"budget": KEY_BUDGET}, ["b", "k", "r"], False),
        ([BUDGET, REQUESTS], {"gone": "b"}, ["r"], False),
        ([BUDGET], {"gone": "b"}, [], False),
        ([BUDGET], {"budget": COVERING}, ["b"], True),  # from now on a member's account must say its teams
        ([BUDGET, COVERING], {"budget": COVERING | {"limit": 1}}, ["b"], False),
    ],
)
def test_one_rule_comes_changes_or_goes(
    before: list[dict[str, Any]], change: dict[str, Any], after: list[str], *, newer: bool
) -> None:
    """Accounts stay valid, and counters of other rules as they are; also after a restart."""
    subject = Subject(BUDGET)
    subject.send(opening("a"), settling("a"))
    subject.set(*before)
    version = subject.gate.version
    assert subject.gate.rule(json.dumps(change), 1) == version + newer
    for _ in range(2):
        counters = subject.gate.counters(1)
        assert sorted(counters.keys() - {"t"}) == after
        assert "b" not in counters or counters["b"].used == (7 if BUDGET in before else 0)
        subject.restart()
        assert subject.gate.version == version + newer


def test_a_rule_that_comes_late_does_not_undo_a_newer_one() -> None:
    """Two change it at once; who was told second in the store may tell the gate first."""
    subject = Subject(BUDGET | {"version": 1})
    for version, limit in ((3, 30), (2, 20), (3, 31)):
        subject.gate.rule(json.dumps({"budget": BUDGET | {"version": version, "limit": limit}}), 1)
    assert subject.send(opening("a", input_tokens=27))["a"][0] == "budget_exceeded"
    assert subject.send(opening("b", input_tokens=26))["b"][0] == ""
