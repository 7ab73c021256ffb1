"""What a soak finds: what the provider served must be on record, and within every budget, whoever has left."""

from __future__ import annotations

from typing import Any

import pytest

from tools.soak_calls import INPUT, KINDS, OUTPUT, kind_of
from tools.soak_checks import Findings, check_provider
from tools.soak_rules import Budget, Rules


def record(cost: int, *, estimated: bool = False) -> dict[str, Any]:
    return {"upstream_model": "chat", "cost_nano_usd": cost, "estimated": estimated}


def counts(prompt: int, completion: int, requests: int = 2) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "requests": requests}


@pytest.mark.parametrize(
    ("records", "served", "difference"),
    [
        ([record(1_300), record(5_000, estimated=True)], counts(10, 5), 0),
        ([record(1_300), record(5_000, estimated=True)], counts(3, 1), 600),
        ([record(1_300), record(100, estimated=True)], counts(10, 5), 1_600),
        ([record(1_300), record(1_300)], counts(6, 5), 0),
        ([record(1_300), record(1_300)], counts(7, 5), 100),
        ([record(1_300), record(0)], counts(5, 2, requests=1), 0),
        ([record(1_300)], counts(5, 2), INPUT),
        ([], counts(1, 0, requests=0), 100),
    ],
    ids=["within", "less than told", "more than charged", "exact", "not exact", "never asked", "no record", "nothing"],
)
def test_what_the_provider_served_lies_between_what_it_told_and_what_was_charged(
    records: list[dict[str, Any]], served: dict[str, int], difference: int
) -> None:
    """An estimate is charged at its bound, so all together is never less."""
    found = Findings()
    check_provider(records, {"chat": served}, found)
    assert (found.nano_usd, bool(found.wrong)) == (difference, bool(difference))


def test_a_budget_is_passed_by_what_was_served_of_its_own_calls() -> None:
    """Of the organisation's, a model's, or a key's, which calls models of its own; a rolling one may begin anew."""
    by_model = {"whole-chunks8": counts(1, 1), "azwhole-chunks8": counts(2, 2), "other": counts(4, 4)}
    scopes = {
        "org": {"type": "org"},
        "model": {"type": "model", "id": "sim/whole-chunks8"},
        "key": {"type": "key", "id": "k"},
    }
    budgets = {name: Budget(name, scope, "total", 1_000, 0) for name, scope in scopes.items()}
    budgets["key"].tag = "az"
    budgets["rolling"] = Budget("rolling", scopes["org"], "rolling:60", 1, 0)
    rules = Rules("admin", budgets=budgets)
    rules.heed(by_model)
    above = {name: budget.served_above for name, budget in budgets.items()}
    assert above == {"org": 7 * (INPUT + OUTPUT) - 1_000, "model": 0, "key": 0, "rolling": 0}
    rules.heed({})
    assert budgets["org"].served_above == above["org"]


def test_a_tagged_model_is_known_by_its_kind() -> None:
    """The same call, whoever makes it."""
    for kind in KINDS:
        assert kind_of(kind.tagged("az").model, ["az", "bz"]) == kind_of(kind.model, []) == kind
