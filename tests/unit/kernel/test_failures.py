"""The table of failures: every entry is named where it is handled, tried by a test, and told in the documentation."""

from __future__ import annotations

import re

import pytest

from lib.kernel import failures
from lib.kernel.failures import MOST_REASON, Failure, note
from tests.unit.source_tree import ROOT, modules

NAMED = re.compile(r"\bFailure\.([A-Z_]+)\b")


def test_every_failure_is_named_where_it_is_handled() -> None:
    """Beside the call that may fail, and nowhere else is there one that the table does not have."""
    named = {
        name for module in modules() if module.name != "lib.kernel.failures" for name in NAMED.findall(module.text)
    }
    assert named == {failure.name for failure in Failure}


def test_every_failure_is_tried_by_a_test() -> None:
    """A test that causes it and names it."""
    files = [path for path in (ROOT / "tests").rglob("test_*.py") if path.name != "test_failures.py"]
    named = {name for path in files for name in NAMED.findall(path.read_text(encoding="utf-8"))}
    assert named >= {failure.name for failure in Failure}


@pytest.mark.parametrize("failure", Failure, ids=lambda failure: failure.name)
def test_the_documentation_has_the_table(failure: Failure) -> None:
    """As it is in the code, word for word."""
    row = f"| {failure.dependency} | {failure.mode} | {failure.happens} | {failure.why} | `{failure.name.lower()}` |"
    assert row in (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def test_the_documentation_has_no_other_rows() -> None:
    """What was handled once and is not any more."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    names = re.findall(r"\| `([a-z_]+)` \|$", text, re.MULTILINE)
    assert sorted(names) == sorted(failure.name.lower() for failure in Failure)


def test_a_failure_is_counted_and_told(noted: list[dict[str, object]]) -> None:
    """One line each, with a reason of a bounded length."""
    assert failures.counts() == {}
    note(Failure.KV_READ, "x" * 10_000)
    note(Failure.KV_READ, "again")
    note(Failure.GATE_UNREACHABLE, "")
    assert failures.counts() == {"kv_read": 2, "gate_unreachable": 1}
    first = {"event": "dependency_failed", "failure": "kv_read", "dependency": "KV", "mode": "open"}
    assert noted[0] == {**first, "reason": "x" * MOST_REASON}
    assert len(noted) == 3


def test_what_was_counted_is_not_changed_from_outside() -> None:
    """Who is shown the counts gets a copy."""
    note(Failure.KV_WRITE, "")
    counted = dict(failures.counts())
    dict(failures.counts()).clear()
    assert failures.counts() == counted


def test_there_is_one_sink() -> None:
    """The last that was named: an isolate that starts its parts twice writes each line once."""
    heard: list[str] = []
    failures.report_to(lambda event, **_: heard.append(f"old {event}"))
    failures.report_to(lambda event, **_: heard.append(event))
    note(Failure.KV_WRITE, "")
    assert heard == ["dependency_failed"]
