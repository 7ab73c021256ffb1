"""What the mutation checks turn in a module, and what they leave: a check that breaks nothing proves nothing."""

from __future__ import annotations

import ast

import pytest

from tools.mutants import MODULES, turns
from tools.project import ROOT

SOURCE = '''
def found(rows: "int", least: int = 3) -> "str | None":
    """Words."""
    if not rows:
        raise ValueError("nobody turns this")
    rows += 1
    for row in rows:
        if row < least and row:
            continue
    return row
'''


def test_each_place_is_turned_once_and_back() -> None:
    tree = ast.parse(SOURCE)
    before = ast.unparse(tree)
    turned = []
    for turn in turns(tree):
        with turn.made() as about:
            assert ast.unparse(tree) != before
            turned.append(about)
        assert ast.unparse(tree) == before
    assert sorted(turned) == [
        *("10: return row -> return None", "2: 3 -> 4", "4: not rows -> rows"),
        "5: raise ValueError('nobody turns this') -> pass",
        *("6: 1 -> 2", "6: Add -> Sub", "6: rows += 1 -> pass"),
        *("8: And -> Or", "8: Lt -> LtE", "9: continue -> pass"),
    ]


@pytest.mark.parametrize("name", MODULES)
def test_every_module_and_its_tests_are_there(name: str) -> None:
    module = MODULES[name]
    assert (ROOT / "src" / "lib" / module.file).is_file()
    assert all((ROOT / "tests" / "unit" / test).exists() for test in module.tests)
