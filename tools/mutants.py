"""Break a module in small ways, one at a time, and tell which breaks its unit tests do not notice.

Usage: python -m tools.mutants [MODULE …]     (in the development environment; without a name: all of MODULES)

A mutant is the module with one comparison, operator, constant or condition turned, or one statement left out. Each is
tried against the module's tests, in a process of its own. What they let pass is printed; the exit code is 1 where that
is more than the module's `alike`: the number of mutants that were read and do what the original does.
"""

from __future__ import annotations

import ast
import importlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from tools.arguments import parser_of
from tools.project import ROOT, ToolError

AT_THE_SAME_TIME = os.cpu_count() or 1
PATIENCE = 5  # times as long as the tests take with the original: a mutant may never end
# What the tests import beside our own modules. Once, and not in each process.
HEAVY = ("hypothesis.stateful", "httpx", "pydantic", "cryptography.hazmat.primitives.asymmetric.ec")
ARGUMENTS = ("-x", "-q", "-p", "no:cacheprovider", "-W", "ignore")
TURNED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}


@dataclass(frozen=True)
class Module:
    """A file below src/lib, its tests below tests/unit, and how many mutants do what the original does."""

    file: str
    tests: tuple[str, ...]
    alike: int = 0


MODULES = {
    "decision": Module(  # where input costs nothing, its number does not matter
        "admission/decision.py", ("admission/test_decision.py", "admission/test_decision_machine.py"), alike=1
    ),
    "policy": Module("access/policy.py", ("access",)),
    "tenancy": Module(
        "store/tenancy.py", ("store/test_tenancy.py", "store/test_tenancy_leaks.py", "store/test_tenancy_persons.py")
    ),
    "partial_json": Module("gateway/streams/partial_json.py", ("gateway/streams/test_partial_json.py",)),
    "money": Module("kernel/money.py", ("kernel/test_money.py", "routes/test_money.py"), alike=1),
}


@dataclass(frozen=True)
class Turn:
    """One place of a tree, a node's attribute or an item of a list, and what is put there."""

    line: int
    owner: Any
    at: str | int
    new: ast.AST

    @contextmanager
    def made(self) -> Iterator[str]:
        """Turn it, and turn it back at the end; yield what it was and is."""
        old = self.owner[self.at] if isinstance(self.at, int) else getattr(self.owner, self.at)
        self._put(self.new)
        try:
            yield f"{self.line}: {_said(old)} -> {_said(self.new)}"
        finally:
            self._put(old)

    def _put(self, node: ast.AST) -> None:
        if isinstance(self.at, int):
            self.owner[self.at] = node
        else:
            setattr(self.owner, self.at, node)


def _said(node: ast.AST) -> str:
    return ast.unparse(node) if isinstance(node, (ast.expr, ast.stmt)) else type(node).__name__


def turns(tree: ast.AST) -> Iterator[Turn]:
    """Yield what can be turned below a node, but for what decides nothing: types, docstrings, the words of an error."""
    for name, value in ast.iter_fields(tree):
        if name in {"annotation", "returns", "decorator_list", "exc", "type_params"}:
            continue
        for at, node in enumerate(value) if isinstance(value, list) else ((name, value),):
            if isinstance(node, ast.AST) and not _is_docstring(node):
                owner = value if isinstance(value, list) else tree
                line = getattr(node, "lineno", getattr(tree, "lineno", 0))
                yield from (Turn(line, owner, at, new) for new in _turned(node, name))
                yield from turns(node)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _turned(node: ast.AST, name: str) -> Iterator[ast.AST]:
    if type(node) in TURNED:
        yield TURNED[type(node)]()
    elif isinstance(node, ast.Constant) and isinstance(node.value, (bool, int)):
        yield ast.Constant(not node.value if isinstance(node.value, bool) else node.value + 1)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)):
        yield ast.Constant(node.value + type(node.value)(b"~" if isinstance(node.value, bytes) else "~"))  # type: ignore[operator,arg-type]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif name in {"test", "ifs"} and not isinstance(node, (ast.Compare, ast.BoolOp)):
        yield ast.UnaryOp(ast.Not(), node)  # type: ignore[arg-type]
    elif isinstance(node, (ast.Expr, ast.AugAssign, ast.Raise, ast.Continue, ast.Break)):
        yield ast.Pass()
    elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
        yield ast.Return(ast.Constant(None))


def passed(module: Module) -> tuple[int, list[str]]:
    """Try every mutant of a module; return how many there are, and what the tests let pass. Raises ToolError."""
    path = ROOT / "src" / "lib" / module.file
    tree = ast.parse(path.read_text(encoding="utf-8"))
    started = time.monotonic()
    if os.waitstatus_to_exitcode(os.waitpid(_begin(path, _compiled(tree, path), module.tests), 0)[1]) != 0:
        raise ToolError(f"the tests of {module.file} fail as it is")
    patience = PATIENCE * AT_THE_SAME_TIME * (time.monotonic() - started) + 5
    waiting, running, let_pass = list(turns(tree)), dict[int, tuple[str, float]](), list[str]()
    total = len(waiting)
    while waiting or running:
        while waiting and len(running) < AT_THE_SAME_TIME:
            with waiting.pop().made() as about:
                process = _begin(path, _compiled(tree, path), module.tests)
            running[process] = about, time.monotonic() + patience
        process, status = os.waitpid(-1, os.WNOHANG)
        if process:
            about, _ = running.pop(process)
            let_pass += [about] * (status == 0)
        for late in [pid for pid, (_, until) in running.items() if until < time.monotonic()]:
            os.kill(late, signal.SIGKILL)
        time.sleep(0.01)
    return total, let_pass


def _compiled(tree: ast.Module, path: Path) -> CodeType:
    return compile(ast.fix_missing_locations(tree), str(path), "exec")


def _begin(path: Path, code: CodeType, tests: tuple[str, ...]) -> int:
    """Run tests in a process in which the file at `path` has this code; return its id. It exits with pytest's code."""
    process = os.fork()
    if process == 0:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        original = SourceFileLoader.get_code

        def get_code(self: Any, name: str) -> CodeType | None:
            return code if Path(self.path) == path else original(self, name)

        SourceFileLoader.get_code = get_code  # type: ignore[method-assign,assignment]
        os._exit(pytest.main([*ARGUMENTS, *(str(ROOT / "tests" / "unit" / test) for test in tests)]))
    return process


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("modules", nargs="*", choices=[*MODULES, []], metavar="MODULE", help=", ".join(MODULES))
    os.chdir(ROOT)
    for name in HEAVY:
        importlib.import_module(name)
    too_many = False
    for name in parser.parse_args().modules or MODULES:
        total, let_pass = passed(MODULES[name])
        print(f"{name}: {total} mutants, {len(let_pass)} pass, {MODULES[name].alike} of them known as alike")
        print("".join(f"  {line}\n" for line in sorted(let_pass)), end="", flush=True)
        too_many |= len(let_pass) > MODULES[name].alike
    return int(too_many)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ToolError as error:
        sys.exit(f"mutants: {error}")
