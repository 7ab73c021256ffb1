"""What `make test` runs, and what it says when something fails."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.unit.tools.test_children import wait_for
from tools import test as module
from tools.children import command_name
from tools.process import tie
from tools.project import ROOT
from tools.test import CHOSEN, FIRST_HALF, JUDGE, Suite, main, run, suites


def test_every_folder_of_tests_is_run_and_the_real_runtime_with_each_store() -> None:
    listed = suites()

    assert [suite.name for suite in listed] == [
        "tests/e2e on d1",
        "tests/e2e on postgres",
        "tests/contract on d1",
        "tests/contract on postgres",
        "tests/unit, the first half",
        "tests/unit, the second half",
        "some of tests/e2e as in production",
        "tests/sim",
        "tests/plane",
        "what measures time in tests/e2e",
    ]
    on = [(suite.command[-3:], suite.variables) for suite in listed if suite.name.startswith("tests/e2e")]
    assert on == [(["tests/e2e", "-m", "not alone"], {"HEADGATE_TEST_STORE": store}) for store in ("d1", "postgres")]
    assert [suite.name for suite in listed if suite.alone] == ["what measures time in tests/e2e"]
    assert listed[6].variables["PRODUCTION"] == "1"
    assert all((ROOT / name.partition("::")[0]).exists() for name in (*CHOSEN, *FIRST_HALF, JUDGE))
    with_tests = {path.relative_to(ROOT).parts[1] for path in (ROOT / "tests").rglob("*test*.*") if path.is_file()}
    folders = {name for name in with_tests if (ROOT / "tests" / name).is_dir()}
    assert folders <= {suite.name.split()[0].removeprefix("tests/").removesuffix(",") for suite in listed}


def test_all_run_also_after_one_has_failed_and_the_failed_are_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[bool] = []
    python = [sys.executable, "-c"]
    listed = [
        Suite("first", [*python, "import time; time.sleep(1); print('what it says'); raise SystemExit(1)"]),
        Suite("second", [*python, "import os; print('store', os.environ['X'])"], {"X": "y"}),
        Suite("third", [*python, "raise SystemExit(5)"], alone=True),
        Suite("fourth", ["true"], alone=True),
    ]
    monkeypatch.setattr(module, "set_up", lambda *, postgres: asked.append(postgres))
    monkeypatch.setattr(module, "suites", lambda: listed)

    assert main() == 1

    out, err = capfd.readouterr()
    assert asked == [True]
    said = [line.rpartition(": ")[0] if line.endswith(" s") else line for line in out.splitlines()]
    assert said == [
        *("== first: begun", "== second: begun", "== second", "store y", "== first", "what it says"),
        *("== third: begun", "== third", "== fourth: begun", "== fourth"),
    ]
    assert err == "test: failed: first, third\n"


def test_no_more_run_at_a_time_than_is_said(tmp_path: Path) -> None:
    """Each leaves a mark while it runs, and fails where it sees two others."""
    script = (
        "import pathlib, sys, time; here = pathlib.Path(sys.argv[1]); mark = here / sys.argv[2]; mark.touch();"
        " time.sleep(0.3); seen = len(list(here.iterdir())); mark.unlink(); raise SystemExit(seen > 2)"
    )
    listed = [Suite(str(number), [sys.executable, "-c", script, str(tmp_path), str(number)]) for number in range(5)]

    assert run(listed, 2) == {str(number): True for number in range(5)}


def test_the_fast_ones_are_without_those_that_take_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    def note(suites: Iterable[Suite], _at_the_same_time: int) -> dict[str, bool]:
        names = [suite.name for suite in suites]
        begun.extend(names)
        return dict.fromkeys(names, True)

    monkeypatch.setattr(module, "set_up", lambda **_options: None)
    monkeypatch.setattr(module, "run", note)

    assert main(fast=True) == 0
    assert begun == [
        *("tests/unit, the first half", "tests/unit, the second half", "the stores' contract on d1"),
        *("tests/sim", "tests/plane"),
    ]


def test_without_a_failure_it_exits_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "set_up", lambda **_options: None)
    monkeypatch.setattr(module, "suites", lambda: [Suite("only", ["true"])])

    assert main() == 0


@pytest.mark.skipif(not tie(), reason="no program here ends another with its parent")
def test_no_suite_outlives_whoever_runs_it(tmp_path: Path) -> None:
    """Whatever ends `make test`, as a CI that gives it up."""
    mark = tmp_path / "pid"
    sleeps = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(60)"
    suite = f"Suite('it', {[sys.executable, '-c', sleeps, str(mark)]!r})"
    runs = f"from tools.test import Suite, run; run([{suite}], 1)"
    with subprocess.Popen([sys.executable, "-c", runs], cwd=ROOT, stdout=subprocess.DEVNULL) as ours:
        try:
            wait_for(lambda: mark.exists() and mark.read_text())
        finally:
            ours.terminate()
    wait_for(lambda: command_name(int(mark.read_text())) is None)
