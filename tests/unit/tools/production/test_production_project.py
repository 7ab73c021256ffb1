"""What a run as in production is told, and what is laid out for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.production.rules import NAMES, read_settings
from tools.production_project import MAIN, is_production, lay_out, production_variables
from tools.project import ROOT, ToolError


@pytest.mark.parametrize(("text", "told"), [("1", True), ("0", False), ("", False)])
def test_one_switch(text: str, told: bool) -> None:
    assert is_production({"PRODUCTION": text}) is told
    assert not is_production({})


def test_a_switch_that_is_neither_is_refused() -> None:
    with pytest.raises(ToolError, match="PRODUCTION must be 1 or 0"):
        is_production({"PRODUCTION": "yes"})


@pytest.mark.parametrize("name", NAMES)
def test_each_setting_is_a_whole_number(name: str) -> None:
    assert read_settings(lambda asked: "7" if asked == name else None) != read_settings(lambda _: None)
    assert production_variables({name: "7", "HOME": "/"}) == {name: "7"}
    with pytest.raises(ToolError, match=name):
        production_variables({name: "-1"})


def test_a_setting_that_nobody_reads_is_refused() -> None:
    """A name with a slip of the pen would otherwise set nothing."""
    with pytest.raises(ToolError, match="PRODUCTION_DELAY"):
        production_variables({"PRODUCTION_DELAY": "7"})


def test_the_project_is_the_same_worker_with_another_main(tmp_path: Path) -> None:
    configuration = json.loads(lay_out(tmp_path / "project").read_text(encoding="utf-8"))
    assert configuration["name"] == "headgate"
    source = tmp_path / "project" / "src"
    assert configuration["main"] == f"src/{MAIN}"
    assert (source / MAIN).is_file()
    for path in (ROOT / "src").rglob("*.py"):
        assert (source / path.relative_to(ROOT / "src")).read_bytes() == path.read_bytes()
