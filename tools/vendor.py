"""The Worker's packages: wheels for Pyodide in python_modules/, and the workerd that reads the packed runtime.

`pywrangler sync` makes the same folder where Cloudflare's and Pyodide's hosts can be reached. What of it is left out of
a deploy is said in wrangler.toml, so that both ways deploy the same files.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

from tools import node
from tools.pack_runtime import PackError, pack
from tools.process import tie
from tools.project import (
    NODE_MODULES,
    PYTHON_MODULES,
    REQUIREMENTS,
    RUNTIME,
    VENV_PYTHON,
    WORKERD_WRAPPER,
    ToolError,
    toolchain,
)
from tools.python_env import NETWORK_HINT
from tools.run import run
from tools.steps import replace_folder

WRAPPER = """\
#!/bin/sh
# Made by tools/setup.py: workerd with the packed Python runtime. It dies with the program that started it.
command=$1; shift
if [ "$command" = serve ]; then
  set -- --pyodide-bundle-disk-cache-dir={runtime} "$@"
  # A folder with a snapshot.bin: tools/kept_snapshot.py.
  if [ -n "${{HEADGATE_SNAPSHOT:-}}" ]; then
    set -- --python-snapshot-dir="$HEADGATE_SNAPSHOT" --python-load-snapshot=snapshot.bin "$@"
  fi
fi
# Miniflare lets workerd choose its ports. Ours are told beforehand, since the edge and the soak must know them. Of
# wrangler's two workerd processes only the Worker's own asks for port 0.
for argument; do
  shift
  case $argument in
    --socket-addr=entry=127.0.0.1:0) argument="--socket-addr=entry=127.0.0.1:${{HEADGATE_WORKER_PORT:-0}}" ;;
    --inspector-addr=127.0.0.1:0) argument="--inspector-addr=127.0.0.1:${{HEADGATE_INSPECTOR_PORT:-0}}" ;;
  esac
  set -- "$@" "$argument"
done
exec {workerd} "$command" "$@"
"""


def vendor_packages() -> None:
    """Install requirements/worker.txt into python_modules/, whole or not at all."""
    partial = PYTHON_MODULES.with_name(".tools") / "python_modules.partial"
    shutil.rmtree(partial, ignore_errors=True)
    run(
        [
            *(VENV_PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
            *("--target", partial, "--require-hashes", "--no-deps", "-r", REQUIREMENTS / "worker.txt"),
            *toolchain().worker_pip_options(),
        ],
        what="fetching the Worker's packages",
        hint=NETWORK_HINT,
    )
    shutil.rmtree(partial / "bin", ignore_errors=True)
    (partial / "pyvenv.cfg").touch()  # this marks the folder as vendored
    replace_folder(partial, PYTHON_MODULES)


def install_node_packages() -> None:
    """`npm ci`: node_modules/ exactly as package-lock.json says. No package's install script runs."""
    found = node.find()
    run(
        [found.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        what="npm ci",
        env=node.environment(found),
        hint="The npm registry could not be used: see the lines above. A mirror is set as usual for npm.",
    )


def workerd_binary() -> Path:
    """The program itself, in the package for this platform. Named as Node names platforms, so Node is asked."""
    done = subprocess.run(
        [node.find().node, "-p", "`${process.platform}-${process.arch}`"], capture_output=True, text=True, check=True
    )
    platform = {"linux-x64": "linux-64", "darwin-x64": "darwin-64"}.get(done.stdout.strip(), done.stdout.strip())
    binary = NODE_MODULES / "@cloudflare" / f"workerd-{platform}" / "bin" / "workerd"
    if not binary.is_file():
        raise ToolError(f"there is no workerd for this platform ({platform}): {binary} is missing")
    return binary


def pack_runtime() -> None:
    """Pack npm's Pyodide, and write the workerd that starts with it."""
    try:
        pack(NODE_MODULES / "pyodide", RUNTIME)
    except PackError as error:
        raise ToolError(str(error)) from error
    text = WRAPPER.format(runtime=shlex.quote(str(RUNTIME)), workerd=shlex.join([*tie(), str(workerd_binary())]))
    WORKERD_WRAPPER.parent.mkdir(parents=True, exist_ok=True)
    partial = WORKERD_WRAPPER.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.chmod(0o755)
    partial.replace(WORKERD_WRAPPER)
