"""Set everything up and run every test.

Usage: python3 -m tools.test

Units on CPython, and beside them, on another core, the simulated provider's own and the contract of the stores; then
the Worker on the real runtime, once for each store, and some of it as in production. All run, also when one has failed;
the exit code says whether all passed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from tools import node
from tools.arguments import flags
from tools.project import ROOT, VENV_PYTHON, ToolError
from tools.setup import set_up
from tools.state import STORES

AT_THE_SAME_TIME = 2  # so many suites run while the first does; those behind them need the machine for themselves
STORE = "HEADGATE_TEST_STORE"  # tests/e2e reads it
# What is run once more as in production (docs/production.md). Overload is left to the soak: its answer is a 503.
IN_PRODUCTION = {"PRODUCTION": "1", "PRODUCTION_OVERLOAD_SECONDS": "0", STORE: "d1"}
ORDINARY = "tests/e2e/ordinary/test_one_after_another.py::test_each_call_that_fits_is_let_in_and_no_other"
CHOSEN = (
    f"{ORDINARY}[one at once, stream]",
    "tests/e2e/test_stream_bytes.py",
    "tests/e2e/test_keys.py",
)


@dataclass(frozen=True)
class Suite:
    """A folder of tests, the command that runs it, and what it adds to the environment."""

    name: str
    command: list[str]
    variables: dict[str, str] = field(default_factory=dict)


def pytest_of(*folders: str) -> list[str]:
    return [str(VENV_PYTHON), "-m", "pytest", "-q", *folders]


def by_node(folder: str) -> list[str]:
    return [str(node.find().node), "--test", f"{folder}/**/*.test.ts"]


def suites() -> list[Suite]:
    return [
        Suite("tests/unit", pytest_of("tests/unit")),
        Suite("tests/sim", by_node("tests/sim")),
        Suite("tests/contract", pytest_of("tests/contract")),
        Suite("tests/plane", by_node("tests/plane")),
        *(Suite(f"tests/e2e on {store}", pytest_of("tests/e2e"), {STORE: store}) for store in STORES),
        Suite("some of tests/e2e as in production", pytest_of(*CHOSEN), IN_PRODUCTION),
    ]


def passes(suite: Suite) -> bool:
    print(f"== {suite.name}", flush=True)
    return subprocess.run(suite.command, cwd=ROOT, env=_environment(suite), check=False).returncode == 0


@dataclass
class Beside:
    """A suite that runs beside others. What it says is shown when it has ended, in one piece."""

    suite: Suite
    process: subprocess.Popen[bytes]
    said: IO[bytes]

    def passes(self) -> bool:
        code = self.process.wait()
        self.said.seek(0)
        print(f"== {self.suite.name}\n{self.said.read().decode(errors='replace')}", end="", flush=True)
        return code == 0


@contextmanager
def beside(suite: Suite) -> Iterator[Beside]:
    """Run a suite in the background; it ends with the block."""
    print(f"== {suite.name}: beside the next ones", flush=True)
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            suite.command,
            cwd=ROOT,
            env=_environment(suite),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Beside(suite, process, said)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _environment(suite: Suite) -> dict[str, str]:
    return {**node.environment(node.find()), **suite.variables}


def main() -> int:
    set_up(postgres=True)
    first, *others = listed = suites()
    with beside(first) as running:
        passed = {suite.name: passes(suite) for suite in others[:AT_THE_SAME_TIME]}
        passed[first.name] = running.passes()
    passed |= {suite.name: passes(suite) for suite in others[AT_THE_SAME_TIME:]}
    failed = [suite.name for suite in listed if not passed[suite.name]]
    if failed:
        print(f"test: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    flags(__doc__)
    try:
        sys.exit(main())
    except ToolError as error:
        sys.exit(f"test: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
