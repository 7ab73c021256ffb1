"""docs/adding-a-resource.md, done as it stands there on a copy of the tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.project import ROOT

PAGE = (ROOT / "docs" / "adding-a-resource.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"\n\n(?P<what>[^\n]*(?:\n[^\n]+)*):\n\n```\w+\n(?P<text>.*?)```(?=\n)", re.DOTALL)
COPIED = ("src", "tests", "tools", "migrations", "docs", "pyproject.toml", "CHANGELOG.md")
MOST_LINES, MOST_FILES = 160, 4  # of a simple resource; those that undo its migration, edits and tests not counted


def new_files(page: str = PAGE) -> dict[str, str]:
    """Return what a page writes, by the file's name."""
    new = [block for block in BLOCK.finditer(page) if block["what"].startswith("New ")]
    return {name: block["text"] for block in new for name in re.findall(r"`([\w/.]+)`", block["what"])}


def edits(page: str = PAGE) -> list[tuple[str, str, str]]:
    """Return what a page puts into files: the file, the line behind which, and the text."""
    placed = (
        (re.search(r"In `([\w/.]+)`, behind `([^`]+)`$", block["what"]), block["text"])
        for block in BLOCK.finditer(page)
    )
    return [(place[1], place[2], text) for place, text in placed if place]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy in which all that the page says is done."""
    return do(PAGE, tmp_path)


def do(page: str, tmp_path: Path) -> Path:
    """Copy the tree, and do there what a page says."""
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    for name, text in new_files(page).items():
        assert not (tmp_path / name).exists()
        (tmp_path / name).write_text(text, encoding="utf-8")
    for name, behind, text in edits(page):
        lines = (tmp_path / name).read_text(encoding="utf-8").splitlines(keepends=True)
        [place] = [
            number
            for number, line in enumerate(lines)
            if line.rstrip("\n").startswith(behind) or line.strip().startswith(behind)
        ]
        lines.insert(place + 1, text)
        (tmp_path / name).write_text("".join(lines), encoding="utf-8")
    return tmp_path


def run(tree: Path, *command: str) -> str:
    """Run Python in a copy; return what it says. It has to succeed."""
    path = os.pathsep.join(str(folder) for folder in (tree / "src", tree))
    done = subprocess.run(
        [sys.executable, *command],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}: {(done.stdout + done.stderr)[-4_000:]}"
    return done.stdout


def test_what_the_page_says_is_a_resource(tree: Path) -> None:
    """Its rows have a type, its files are in order, and it answers; what every route keeps to, it does too."""
    run(tree, "-m", "tools.row_types")
    run(tree, "-m", "tools.permissions")
    names = [name for name in new_files() if name.endswith(".py")]
    run(tree, "-m", "ruff", "check", "--quiet", *names)
    run(tree, "-m", "ruff", "format", "--check", *names)
    tests = ("test_notes.py", "test_rules.py", "test_access.py")
    run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(f"tests/unit/routes/{name}" for name in tests))
    whole = ("store/test_row_shapes.py", "test_floors.py")
    run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(f"tests/unit/{name}" for name in whole))


def test_a_simple_resource_is_small() -> None:
    """Four files, of which two are the one table in two dialects."""
    counted = {name: text for name, text in new_files().items() if "/down/" not in name and "tests/" not in name}
    assert len(counted) <= MOST_FILES
    assert sum(text.count("\n") for text in counted.values()) <= MOST_LINES
