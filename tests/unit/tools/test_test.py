"""What `make test` runs, and what it says when something fails."""

from __future__ import annotations

import sys

import pytest

from tools import test as module
from tools.project import ROOT
from tools.test import CHOSEN, Suite, main, suites


def test_every_folder_of_tests_is_run_and_the_real_runtime_once_with_each_store() -> None:
    listed = suites()

    assert [suite.name for suite in listed] == [
        "tests/unit",
        "tests/sim",
        "tests/contract",
        "tests/plane",
        "tests/e2e on d1",
        "tests/e2e on postgres",
        "some of tests/e2e as in production",
    ]
    assert listed[-1].variables["PRODUCTION"] == "1"
    assert all((ROOT / name.partition("::")[0]).exists() for name in CHOSEN)
    assert [suite.variables for suite in listed[-3:-1]] == [
        {"HEADGATE_TEST_STORE": "d1"},
        {"HEADGATE_TEST_STORE": "postgres"},
    ]
    with_tests = {path.relative_to(ROOT).parts[1] for path in (ROOT / "tests").rglob("*test*.*") if path.is_file()}
    folders = {name for name in with_tests if (ROOT / "tests" / name).is_dir()}
    assert folders <= {suite.name.split()[0].removeprefix("tests/") for suite in listed[:-1]}


def test_all_run_also_after_one_has_failed_and_the_failed_are_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[bool] = []
    python = [sys.executable, "-c"]
    listed = [
        Suite("first", [*python, "print('what it says'); raise SystemExit(1)"]),
        Suite("second", [*python, "import os; print('store', os.environ['X'])"], {"X": "y"}),
        Suite("third", [*python, "raise SystemExit(5)"]),
        Suite("fourth", ["true"]),
    ]
    monkeypatch.setattr(module, "set_up", lambda *, postgres: asked.append(postgres))
    monkeypatch.setattr(module, "suites", lambda: listed)

    assert main() == 1

    out, err = capfd.readouterr()
    assert asked == [True]
    beside = ["== first: beside the next ones", "== second", "store y", "== third"]
    assert out.splitlines() == [*beside, "== first", "what it says", "== fourth"]
    assert err == "test: failed: first, third\n"


def test_without_a_failure_it_exits_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "set_up", lambda **_options: None)
    monkeypatch.setattr(module, "suites", lambda: [Suite("only", ["true"])])

    assert main() == 0
