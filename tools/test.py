"""Set everything up and run every test.

Usage: python3 -m tools.test

Units on CPython first, then the simulated provider's own, the contract of the stores, and the Worker on the real
runtime, once for each store. All run, also when one has failed; the exit code says whether all passed.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field

from tools import node
from tools.project import ROOT, VENV_PYTHON, ToolError
from tools.setup import set_up
from tools.state import STORES

STORE = "HEADGATE_TEST_STORE"  # tests/e2e reads it


@dataclass(frozen=True)
class Suite:
    """A folder of tests, the command that runs it, and what it adds to the environment."""

    name: str
    command: list[str]
    variables: dict[str, str] = field(default_factory=dict)


def pytest_of(folder: str) -> list[str]:
    return [str(VENV_PYTHON), "-m", "pytest", "-q", folder]


def suites() -> list[Suite]:
    return [
        Suite("tests/unit", pytest_of("tests/unit")),
        Suite("tests/sim", [str(node.find().node), "--test", "tests/sim/**/*.test.ts"]),
        Suite("tests/contract", pytest_of("tests/contract")),
        *(Suite(f"tests/e2e on {store}", pytest_of("tests/e2e"), {STORE: store}) for store in STORES),
    ]


def passes(suite: Suite) -> bool:
    print(f"== {suite.name}", flush=True)
    environment = {**node.environment(node.find()), **suite.variables}
    return subprocess.run(suite.command, cwd=ROOT, env=environment, check=False).returncode == 0


def main() -> int:
    set_up(postgres=True)
    failed = [suite.name for suite in suites() if not passes(suite)]
    if failed:
        print(f"test: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ToolError as error:
        sys.exit(f"test: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
