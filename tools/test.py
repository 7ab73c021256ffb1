"""Set everything up and run every test.

Usage: python3 -m tools.test [--fast]

Units on CPython, the simulated provider's own, the contract of the stores, and the Worker on the real runtime with each
store, some at a time; some of it as in production; then, alone, what measures time. All run, also when one has failed;
the exit code says whether all passed. `--fast` leaves out what takes minutes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO

from tools import node
from tools.arguments import flags
from tools.process import tie
from tools.project import ROOT, VENV_PYTHON, ToolError
from tools.setup import set_up
from tools.state import STORES

AT_THE_SAME_TIME = 3  # so many suites: each waits a good part of its time
SLOWEST = 10  # tests of a suite that it names at its end
STORE = "HEADGATE_TEST_STORE"  # tests/e2e and tests/contract read it
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
    """Tests, the command that runs them, and what it adds to the environment. Nothing else runs beside one `alone`."""

    name: str
    command: list[str]
    variables: dict[str, str] = field(default_factory=dict)
    alone: bool = False


def pytest_of(*arguments: str) -> list[str]:
    return [str(VENV_PYTHON), "-m", "pytest", "-q", f"--durations={SLOWEST}", *arguments]


def by_node(folder: str) -> list[str]:
    return [str(node.find().node), "--test", f"{folder}/**/*.test.ts"]


# Two halves of about the same length. The second is whatever is not in the first; each judges what its tests saw.
FIRST_HALF = tuple(f"tests/unit/{name}" for name in ("admission", "runtime", "store", "tools"))
JUDGE = "tests/unit/web/test_openapi.py::test_every_status_that_any_test_saw_is_declared"
UNITS = [
    Suite("tests/unit, the first half", pytest_of(*FIRST_HALF, JUDGE)),
    Suite("tests/unit, the second half", pytest_of("tests/unit", *(f"--ignore={folder}" for folder in FIRST_HALF))),
]


def suites() -> list[Suite]:
    """The longest first: so none is left behind when the others have ended."""
    e2e, contract = "tests/e2e", "tests/contract"
    return [
        *(Suite(f"{e2e} on {store}", pytest_of(e2e, "-m", "not alone"), {STORE: store}) for store in STORES),
        *(Suite(f"{contract} on {store}", pytest_of(contract), {STORE: store}) for store in STORES),
        *UNITS,
        Suite(f"some of {e2e} as in production", pytest_of(*CHOSEN), IN_PRODUCTION),
        *of_node(),
        Suite(f"what measures time in {e2e}", pytest_of(e2e, "-m", "alone or last"), {STORE: "d1"}, alone=True),
    ]


def fast_suites() -> list[Suite]:
    """What a change breaks first, in a minute or two."""
    stores = Suite("the stores' contract on d1", pytest_of("tests/contract", "-k", "test_store_"), {STORE: "d1"})
    return [*UNITS, stores, *of_node()]


def of_node() -> list[Suite]:
    return [Suite(folder, by_node(folder)) for folder in ("tests/sim", "tests/plane")]


class Running:
    """A suite that runs. What it says is shown when it has ended, in one piece."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self._started = time.monotonic()
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `stop`
        self._process = subprocess.Popen(
            [*tie(), *suite.command],
            cwd=ROOT,
            env={**node.environment(node.find()), **suite.variables},
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=subprocess.STDOUT,
        )
        print(f"== {suite.name}: begun", flush=True)

    def passed(self) -> bool | None:
        """None while it runs."""
        code = self._process.poll()
        return None if code is None else code == 0

    def show(self) -> None:
        self._said.seek(0)
        took = time.monotonic() - self._started
        print(f"== {self.suite.name}: {took:.0f} s\n{self._said.read().decode(errors='replace')}", end="", flush=True)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._said.close()


def run(suites: Iterable[Suite], at_the_same_time: int) -> dict[str, bool]:
    """Run suites, so many at a time; return by name whether each passed. None goes on when this ends."""
    waiting, running, passed = deque(suites), list[Running](), dict[str, bool]()
    with ExitStack() as ends:
        while waiting or running:
            while waiting and len(running) < at_the_same_time:
                running.append(Running(waiting.popleft()))
                ends.callback(running[-1].stop)
            for one in [one for one in running if one.passed() is not None]:
                one.show()
                passed[one.suite.name] = bool(one.passed())
                running.remove(one)
            time.sleep(0.05)
    return passed


def main(*, fast: bool = False) -> int:
    set_up(postgres=True)
    listed = fast_suites() if fast else suites()
    passed = run((suite for suite in listed if not suite.alone), AT_THE_SAME_TIME)
    passed |= run((suite for suite in listed if suite.alone), 1)
    failed = [suite.name for suite in listed if not passed[suite.name]]
    if failed:
        print(f"test: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    options = flags(__doc__, fast="leave out what takes minutes")
    try:
        sys.exit(main(fast=options.fast))
    except ToolError as error:
        sys.exit(f"test: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
