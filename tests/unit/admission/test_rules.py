"""Whom a rule concerns, and how a policy comes to the gate."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.admission.rules import (
    EACH,
    NO_POLICY,
    REACHES,
    Adjustment,
    Budget,
    Limit,
    Path,
    Policy,
    Subject,
    Unit,
    parse_policy,
    standing,
)

PATH = {"org": "o", "key": "k", "model": "m", "end_user": "u"}
LEVELS = ("org", "team", "user", "key", "model", "end_user")
NAMES = st.sampled_from(["a", "b", EACH])
PATHS = st.dictionaries(st.sampled_from(LEVELS), NAMES)
SCOPES = st.builds(Subject, st.sampled_from(LEVELS), NAMES, st.none() | st.sampled_from(["a", "b"]))
LIMITS = st.builds(
    Limit, st.text(), SCOPES, st.sampled_from(Unit), st.integers(1), st.integers(1), st.none() | st.integers(1)
).map(lambda limit: Limit(limit.id, limit.scope, limit.unit, limit.most, 0, None) if _at_once(limit) else limit)
ADJUSTMENTS = st.builds(Adjustment, st.booleans(), st.integers(0, 99), st.none() | st.integers(0, 99))
BUDGETS = st.builds(
    Budget,
    st.text(),
    SCOPES,
    st.sampled_from(["total", "day", "rolling:60"]),
    st.integers(0),
    st.booleans(),
    st.lists(ADJUSTMENTS, max_size=4).map(tuple),
)


def _at_once(limit: Limit) -> bool:
    return limit.unit is Unit.CONCURRENT


@pytest.mark.parametrize(
    ("scope", "subject"),
    [
        (Subject("org", "o"), "o"),
        (Subject("org", "other"), None),
        (Subject("key", "k"), "k"),
        (Subject("key", EACH), "k"),
        (Subject("key", EACH, "m"), "k"),
        (Subject("key", EACH, "other"), None),
        (Subject("model", "m"), "m"),
        (Subject("end_user", EACH), "u"),
        (Subject("team", "t"), None),
        (Subject("team", EACH), None),
    ],
)
def test_a_rule_counts_for_who_is_on_the_path(scope: Subject, subject: str | None) -> None:
    """One on a level, or each by itself; where the level is missing, nobody."""
    assert scope.subjects(PATH) == ([] if subject is None else [subject])


LONG = PATH | {"minter": "n", "makers": "a b", "team": "t", "member_of": "x y"}


@pytest.mark.parametrize(
    ("scope", "subjects"),
    [
        (Subject("key", EACH), ["k", "n"]),
        *((Subject("key", one), [one]) for one in "knab"),
        (Subject("key", "k n"), []),
        (Subject("key", "a", "other"), []),
        (Subject("team", EACH), ["t"]),
        (Subject("team", "x"), []),
        (Subject("team", EACH, None, True), ["t", "x", "y"]),
        (Subject("team", "y", "m", True), ["y"]),
        (Subject("team", "z", None, True), []),
    ],
)
def test_a_call_counts_on_more_than_one(scope: Subject, subjects: list[str]) -> None:
    """One key's rule counts what was made with it; each key's, what it has minted; a team's, perhaps its members."""
    assert scope.subjects(LONG) == subjects
    # Where a limit refuses it, it refuses all that it counts, and no others: those who stand there by its reach.
    assert set(subjects) <= set(standing(LONG, scope.reach))
    assert scope.reach in REACHES


@given(SCOPES, PATHS)
def test_a_scope_concerns_a_path_when_all_of_it_is_there(scope: Subject, path: Path) -> None:
    """Whoever calls themselves `*` is one of each, and no more."""
    concerned = scope.type in path
    concerned = concerned and (scope.id == EACH or scope.id == path[scope.type])
    concerned = concerned and (scope.model is None or path.get("model") == scope.model)
    assert scope.subjects(path) == ([path[scope.type]] if concerned else [])


def _text(policy: Policy) -> str:
    """Return what the store hands to the gate."""

    def scope(rule: Limit | Budget) -> dict[str, str | None]:
        return {"type": rule.scope.type, "id": rule.scope.id, "model": rule.scope.model}

    limits = [
        {
            "id": limit.id,
            "scope": scope(limit),
            "unit": limit.unit.value,
            "limit": limit.most,
            "window_ms": None if _at_once(limit) else limit.window_ms,
            "burst": limit.burst,
        }
        for limit in policy.limits
    ]
    budgets = [
        {
            "id": budget.id,
            "scope": scope(budget),
            "window": budget.window,
            "limit": budget.most,
            "mode": "hard" if budget.hard else "soft",
            # A budget without any may have no such member: so it was before there were adjustments.
            **(
                {"adjustments": [[one.override, one.amount, one.until_ms] for one in budget.adjustments]}
                if budget.adjustments
                else {}
            ),
        }
        for budget in policy.budgets
    ]
    return json.dumps({"time_zone": policy.time_zone, "limits": limits, "budgets": budgets})


@given(st.builds(Policy, st.sampled_from(["UTC", "Asia/Tehran"]), st.tuples(LIMITS), st.tuples(BUDGETS)))
def test_a_policy_arrives_as_it_was_written(policy: Policy) -> None:
    assert parse_policy(_text(policy)) == policy
    assert not policy.empty


def test_a_policy_without_rules_is_empty() -> None:
    assert parse_policy(_text(NO_POLICY)) == NO_POLICY
    assert NO_POLICY.empty
