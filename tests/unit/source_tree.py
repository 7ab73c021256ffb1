"""The source as syntax trees, for the tests of its architecture."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"


@dataclass(frozen=True)
class Module:
    """One file of the source. `name` is what others import it by."""

    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    @cached_property
    def imports(self) -> frozenset[str]:
        """All that it imports anywhere in it: both `a.b` and `a.b.c` for `from a.b import c`."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name} imports by a relative name"
                found.add(str(node.module))
                found.update(f"{node.module}.{alias.name}" for alias in node.names)
        return frozenset(found)

    def within(self, *packages: str) -> bool:
        """Tell whether it is one of these packages, or inside one."""
        return any(inside(self.name, package) for package in packages)

    def imported_from(self, *packages: str) -> set[str]:
        """Return its imports that are one of these packages, or inside one."""
        return {name for name in self.imports if any(inside(name, package) for package in packages)}

    def calls(self) -> set[str]:
        """Return the dotted names of all that it calls."""
        return {ast.unparse(node.func) for node in ast.walk(self.tree) if isinstance(node, ast.Call)}


def inside(name: str, package: str) -> bool:
    """Tell whether `name` is `package` or a part of it."""
    return name == package or name.startswith(package + ".")


def modules() -> list[Module]:
    """Return every module of the source."""
    return [
        Module(".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__"), path)
        for path in sorted(SRC.rglob("*.py"))
    ]
