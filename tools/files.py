"""The project's own files: what is committed or about to be."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tools.project import ROOT

BROUGHT = {".git", ".venv", ".tools", "node_modules", "python_modules", ".wrangler", ".dev", ".venv-workers", "dist"}
CACHES = {"__pycache__", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"}


def _walked() -> list[Path]:
    found = []
    for folder, names, files in os.walk(ROOT):
        names[:] = [name for name in names if name not in BROUGHT | CACHES]
        found += [Path(folder) / file for file in files]
    return found


def own_files() -> list[Path]:
    """Files that git tracks or would track; without git, all outside the folders that the set-up brings."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return sorted(_walked())
    return sorted(ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file())


def text_of(path: Path) -> str | None:
    """The file's text, or None when it is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
