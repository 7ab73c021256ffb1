"""Set everything up and run every test.

Usage: python3 -m tools.test

Units on CPython first, then the simulated provider's own, then the Worker on the real runtime. All run, also when one
has failed; the exit code says whether all passed.
"""

from __future__ import annotations

import subprocess
import sys

from tools import node
from tools.project import ROOT, VENV_PYTHON, ToolError
from tools.setup import set_up


def suites() -> dict[str, list[str]]:
    """The folder of each suite, and the command that runs it."""
    return {
        "tests/unit": [str(VENV_PYTHON), "-m", "pytest", "-q", "tests/unit"],
        "tests/sim": [str(node.find().node), "--test", "tests/sim/**/*.test.ts"],
        "tests/e2e": [str(VENV_PYTHON), "-m", "pytest", "-q", "tests/e2e"],
    }


def main() -> int:
    set_up()
    failed = []
    for folder, command in suites().items():
        if not (ROOT / folder).is_dir():
            print(f"test: there is no {folder}", flush=True)
            continue
        print(f"== {folder}", flush=True)
        if subprocess.run(command, cwd=ROOT, env=node.environment(node.find()), check=False).returncode != 0:
            failed.append(folder)
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
