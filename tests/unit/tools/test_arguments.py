from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from typing import Any

import pytest

from tools.arguments import flags
from tools.project import ROOT

RUN_BY_HAND = sorted(
    f"{folder}.{path.stem}"
    for folder in ("tools", "bench")
    for path in (ROOT / folder).glob("*.py")
    if re.search('^if __name__ == "__main__":', path.read_text(), re.MULTILINE)
)


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a tool would do, it would begin with another program."""

    def refuse(*_arguments: Any, **_options: Any) -> None:
        raise AssertionError("it did something")

    for place, name in ((subprocess, "run"), (subprocess, "Popen"), (os, "execve"), (os, "execv")):
        monkeypatch.setattr(place, name, refuse)
    monkeypatch.setattr("tools.setup.set_up", refuse)


def run_as_program(monkeypatch: pytest.MonkeyPatch, module: str, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(sys, "path", sys.path[:])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__")
    return ended.value.code


@pytest.mark.usefixtures("refusing")
@pytest.mark.parametrize("module", RUN_BY_HAND)
def test_asked_for_help_a_tool_does_nothing(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_as_program(monkeypatch, module, "--help") == 0
    said = capsys.readouterr().out
    assert said.startswith("usage: ")
    assert "show this help message" in said


@pytest.mark.usefixtures("refusing")
@pytest.mark.parametrize("typo", ["--dry", "--dryrun", "-n", "--chekc"])
@pytest.mark.parametrize("module", RUN_BY_HAND)
def test_what_a_tool_does_not_know_it_refuses(
    module: str, typo: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped `--dry-run` must not deploy."""
    assert run_as_program(monkeypatch, module, typo) == 2
    assert "error: " in capsys.readouterr().err.splitlines()[-1]


def test_a_flag_is_true_only_where_it_stands() -> None:
    about = "What it does.\n\nUsage: python -m tools.it [--dry-run]\n"
    assert flags(about, [], dry_run="only look").dry_run is False
    assert flags(about, ["--dry-run"], dry_run="only look").dry_run is True
