"""A project for wrangler: Headgate as in src/, with tools/production around it. For local runs with PRODUCTION=1."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.production.rules import NAMES, PREFIX, read_settings
from tools.project import PYTHON_MODULES, ROOT, ToolError, wrangler_toml

PRODUCTION = ROOT / "tools" / "production"
MAIN = "production_entry.py"
CPYTHON_ONLY = "sqlite_limits.py"


def is_production(environment: Mapping[str, str]) -> bool:
    """Tell whether a run shall be as in production. Raises ToolError for anything but 1, 0 and nothing."""
    text = environment.get("PRODUCTION") or "0"
    if text not in ("0", "1"):
        raise ToolError(f"PRODUCTION must be 1 or 0, not {text!r}")
    return text == "1"


def production_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of such a run, as the Worker is to have them. Raises ToolError."""
    variables = {name: value for name, value in environment.items() if name.startswith(PREFIX)}
    unknown = sorted(set(variables) - set(NAMES))
    if unknown:
        raise ToolError(f"nobody reads {', '.join(unknown)}; there are {', '.join(NAMES)}")
    try:
        read_settings(variables.get)
    except ValueError as error:
        raise ToolError(str(error)) from None
    return variables


def lay_out(folder: Path) -> Path:
    """Make the project in `folder`, anew; return its configuration."""
    shutil.rmtree(folder, ignore_errors=True)
    source = folder / "src"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    copy_rules(source)
    shutil.copy(PRODUCTION / "entry.py", source / MAIN)
    (folder / "python_modules").symlink_to(PYTHON_MODULES)
    path = folder / "wrangler.json"
    path.write_text(json.dumps(_configuration(), indent=2) + "\n", encoding="utf-8")
    return path


def copy_rules(source: Path) -> None:
    """Put the stand-ins beside a Worker's modules, where it imports them from."""
    package = source / PRODUCTION.relative_to(ROOT)
    shutil.copytree(PRODUCTION, package, ignore=shutil.ignore_patterns("__pycache__", CPYTHON_ONLY, "entry.py"))


def _configuration() -> dict[str, Any]:
    return {**wrangler_toml(), "main": f"src/{MAIN}"}
