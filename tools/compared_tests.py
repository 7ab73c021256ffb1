"""Tell which tests went and which came since a revision, on each store, and how many assertions there are.

Usage: python -m tools.compared_tests REVISION     (in the development environment)

A test is what pytest collects, with its parameters, and on the stores that it runs on; Node's by their names. For each
that went, whoever reads the list says why: it may have another name. Assertions are counted as they are written:
one of a test with parameters counts once. The exit code is 1 where fewer tests are left than there were.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tools.arguments import parser_of
from tools.project import ROOT, VENV_PYTHON, ToolError
from tools.run import run
from tools.state import STORES

NODES_TEST = re.compile(r"^\s*(?:await )?(?:t\.)?test\(\s*[\"'`](.*?)[\"'`],", re.MULTILINE)


def tests_of(tree: Path) -> set[str]:
    found = {f"{path.relative_to(tree)}::{name}" for path, name in _nodes(tree)}
    found |= _collected(tree, "tests/unit")
    for store in STORES:
        found |= {f"{test} on {store}" for test in _collected(tree, "tests/e2e", "tests/contract", store=store)}
    return found


def assertions_of(tree: Path) -> Counter[str]:
    """Count by folder: what pytest looks at, what must raise, and what Node's tests assert."""
    counted = Counter[str]()
    for path in (tree / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            counted[_folder(path, tree)] += isinstance(node, ast.Assert) or called in ("pytest.raises", "assert_error")
    for path in (tree / "tests").rglob("*.ts"):
        counted[_folder(path, tree)] += len(re.findall(r"\bassert[.(]", path.read_text(encoding="utf-8")))
    return counted


def _folder(path: Path, tree: Path) -> str:
    return path.relative_to(tree).parts[1]


def _nodes(tree: Path) -> list[tuple[Path, str]]:
    paths = (tree / "tests").rglob("*.test.ts")
    return [(path, name) for path in paths for name in NODES_TEST.findall(path.read_text(encoding="utf-8"))]


def _collected(tree: Path, *folders: str, store: str | None = None) -> set[str]:
    told = {name: value for name, value in os.environ.items() if name != "HEADGATE_TEST_STORE"}
    done = subprocess.run(
        [str(VENV_PYTHON), "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *folders],
        cwd=tree,
        env={**told, "PYTHONDONTWRITEBYTECODE": "1", **({"HEADGATE_TEST_STORE": store} if store else {})},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("tests/")]
    if done.returncode != 0 or not lines:
        raise ToolError(f"{' '.join(folders)} can't be collected: {done.stdout[-2000:]}{done.stderr}")

    return set(lines)


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("revision")
    revision = str(parser.parse_args().revision)
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "tree"
        run(["git", "worktree", "add", "--detach", str(before), revision], what="git worktree", cwd=ROOT)
        try:
            (before / "node_modules").symlink_to(ROOT / "node_modules")
            (before / ".tools").symlink_to(ROOT / ".tools")
            old, old_assertions = tests_of(before), assertions_of(before)
        finally:
            run(["git", "worktree", "remove", "--force", str(before)], what="git worktree", cwd=ROOT)
    new, assertions = tests_of(ROOT), assertions_of(ROOT)
    for sign, names in (("-", old - new), ("+", new - old)):
        print("".join(f"{sign} {name}\n" for name in sorted(names)), end="")
    print(f"{len(old)} tests, now {len(new)}: {len(old - new)} went, {len(new - old)} came")
    for name in sorted({*old_assertions, *assertions}):
        print(f"assertions in tests/{name}: {old_assertions[name]}, now {assertions[name]}")
    return int(len(new) < len(old))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ToolError as error:
        sys.exit(f"compared_tests: {error}")
