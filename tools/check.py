"""Format, lint, strict types, fresh generated files, agreeing locks, the tests that know all of the source, and files
that stay readable in size.

Usage: python -m tools.check      (in the development environment; `make check` sets it up)

All checks run, side by side, also when one has failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from tools import node
from tools.arguments import flags
from tools.files import own_files, text_of
from tools.project import NODE_MODULES, ROOT

MAX_LINES = 450
SOURCE = {".py", ".ts", ".sql", ".html", ".css", ".js", ".mjs", ".sh", ".md"}
# And locks, which are no source.
GENERATED = {
    "docs/benchmarks.md",
    "clients/typescript/headgate.d.ts",
    "src/lib/gateway/prices/price_data.py",
    "src/lib/store/schema.py",
}
# What a change anywhere may break: who imports whom, each route's rules, and each statement's rows and plan.
WHOLE = (
    *("tests/unit/test_architecture.py", "tests/unit/test_floors.py", "tests/unit/routes/test_rules.py"),
    *("tests/unit/store/test_row_shapes.py", "tests/unit/store/test_plans.py"),
)
PYTHON_FOLDERS = ("src", "tools", "tests", "bench")


def commands() -> dict[str, list[str]]:
    """Each check's name and command, slowest first."""
    python = sys.executable
    folders = [name for name in PYTHON_FOLDERS if any((ROOT / name).rglob("*.py"))]
    return {
        "types": [python, "-m", "mypy", *folders],
        "tests of the whole": [python, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", *WHOLE],
        "types of .ts and .mjs": [str(node.find().node), str(NODE_MODULES / "typescript" / "bin" / "tsc")],
        "generated files": [python, "-m", "tools.generated", "--check"],
        "locks": [python, "-m", "tools.agreement"],
        "lint": [python, "-m", "ruff", "check", "--quiet", "--output-format=concise", "."],
        "format": [python, "-m", "ruff", "format", "--check", "--quiet", "--output-format=concise", "."],
    }


def long_files() -> list[str]:
    """Our own files with more lines than a reader should have to scroll."""
    found = []
    for path in own_files():
        name = str(path.relative_to(ROOT))
        lines = (text_of(path) or "").count("\n") if path.suffix in SOURCE and name not in GENERATED else 0
        if lines > MAX_LINES:
            found.append(f"{name} has {lines} lines; {MAX_LINES} is the most")
    return found


def _run(command: list[str]) -> tuple[bool, str]:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode == 0, (done.stdout + done.stderr).strip()


def main() -> int:
    flags(__doc__)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = {name: pool.submit(_run, command) for name, command in commands().items()}
        outcomes = {name: future.result() for name, future in results.items()}
    long = long_files()
    outcomes["size of files"] = (not long, "\n".join(long))
    for name, (passed, output) in outcomes.items():
        print(f"{'ok    ' if passed else 'FAILED'} {name}")
        if not passed:
            print(output)
    return 0 if all(passed for passed, _ in outcomes.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
