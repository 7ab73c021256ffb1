"""The floors of the house: each package imports only from those below it. docs/architecture.md draws this table."""

from __future__ import annotations

import re
from collections import Counter
from graphlib import TopologicalSorter

from tests.unit.source_tree import ROOT, modules

MODULES = {module.name: module for module in modules()}
# From the ground up. Packages of one floor do not know each other.
FLOORS = (
    ("kernel", "store", "config"),
    ("secrets", "http", "access", "ledger"),
    ("events", "mail"),
    ("users", "defence", "audit"),
    ("tenants", "tokens", "sessions", "collection"),
    ("admission", "issuers"),
    ("keys", "orgs", "reconcile"),
    ("gateway", "sign_in", "rules"),
    ("web",),
    ("routes", "runtime"),
    ("worker",),
    ("entry",),
)
LEVELS = {package: level for level, floor in enumerate(FLOORS) for package in floor}
MOST_MODULES = 30  # in one folder


def _package(module: str) -> str:
    first, _, rest = module.partition(".")
    return rest.partition(".")[0] if first == "lib" else first


def _imported(module: str) -> set[str]:
    """Return the modules of ours that one imports, for its types alone too."""
    return {name for name in MODULES[module].imports if name in MODULES and name not in (module, "lib")}


def test_each_package_has_its_floor() -> None:
    """Also one that comes later, and no floor is of a package that is gone."""
    assert {_package(name) for name in MODULES if name not in ("lib", "routes")} - {""} == set(LEVELS)


def test_imports_point_down() -> None:
    """No package knows one of its own floor or above it: so none two know each other."""
    upward = {
        f"{name} imports {other}"
        for name in MODULES
        if name != "lib"
        for other in _imported(name)
        if _package(other) != _package(name) and LEVELS[_package(other)] >= LEVELS[_package(name)]
    }
    assert not upward


def test_no_modules_import_each_other() -> None:
    """Not round about either, and not for their types alone: a `CycleError` names those that do."""
    TopologicalSorter({name: _imported(name) for name in MODULES}).prepare()


def test_a_folder_can_be_taken_in_at_a_glance() -> None:
    """It has 30 modules at most."""
    sizes = Counter(module.path.parent for module in MODULES.values() if module.path.name != "__init__.py")
    assert not {folder.name: size for folder, size in sizes.items() if size > MOST_MODULES}


def test_the_page_draws_the_floors() -> None:
    """A row a floor, from the top down."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| ((?:`\w+`(?:, )?)+) \|", page.partition("## The floors")[2].partition("\n## ")[0], re.MULTILINE
    )
    assert [tuple(re.findall(r"\w+", row)) for row in rows] == list(reversed(FLOORS))
