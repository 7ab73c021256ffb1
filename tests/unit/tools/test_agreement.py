"""pyproject.toml is the one place for versions: the locks say the same, and name no address."""

from __future__ import annotations

import pytest

from tools.agreement import addresses, disagreements, pins
from tools.project import ROOT


def test_the_locks_agree_with_pyproject_and_no_file_names_a_registry() -> None:
    assert disagreements() == []


def test_pins_reads_requirements_and_dependency_lists() -> None:
    assert pins("a==1.0 \\\n    --hash=sha256:00\nTyping_Extensions==2 ; python_version < '3.12'\nb>=1\n") == {
        "a": "1.0",
        "typing-extensions": "2",
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements/dev.txt", "--extra-index-url something"),
        ("requirements/dev.txt", "--find-links wheels"),
        ("package-lock.json", '"resolved": "something"'),
        (".npmrc", "registry=something"),
        ("README.md", "https://registry." + "npmjs" + ".org/x"),
        ("tools/x.py", "open('x') # /" + "root/.cache"),
    ],
)
def test_what_ties_a_file_to_a_registry_or_machine_is_found(name: str, text: str) -> None:
    assert addresses(ROOT / name, text)


def test_ordinary_text_is_left_alone() -> None:
    assert addresses(ROOT / "docs/x.md", "the framework/root of /v1/models and src/lib/work/") == []
