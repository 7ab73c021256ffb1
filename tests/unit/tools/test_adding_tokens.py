"""docs/ledger.md, "One more kind of tokens", done as it stands there on a copy of the tree."""

from __future__ import annotations

from pathlib import Path

from tests.unit.tools.test_adding_a_resource import do, edits, new_files, run
from tools.project import ROOT

MOST_FILES = 5  # with the page itself; those that undo the migration not counted
NEXT = 1 + max(int(path.name[:4]) for path in (ROOT / "migrations").glob("*.sql"))
PAGE = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8").replace("NNNN", f"{NEXT:04}")


def test_a_kind_of_tokens_is_stored_summed_exported_and_shown(tmp_path: Path) -> None:
    """And read from what a provider tells; nothing else has to know of it, and all types agree."""
    tree = do(PAGE, tmp_path)
    run(tree, "-m", "tools.row_types")
    tests = ("ledger/test_token_kinds.py", "ledger/test_usage_record.py", "store/test_row_shapes.py")
    told = run(tree, "-m", "pytest", "-v", "-p", "no:cacheprovider", *(f"tests/unit/{name}" for name in tests))
    assert told.count("audio_tokens] PASSED") == 4
    said = {"prompt_tokens": 1, "completion_tokens": 9, "completion_tokens_details": {"audio_tokens": 7}}
    read = f"from lib.gateway.formats.openai.usage import read_usage; print(read_usage({said}).audio)"
    assert run(tree, "-c", read) == "7\n"
    run(tree, "-m", "mypy", "src/lib/ledger", "src/routes/api/ledger.py")


def test_a_kind_of_tokens_is_few_edits() -> None:
    """Two dialects, the declaration, who reads it, and the page."""
    files = {name for name in new_files(PAGE) if "/down/" not in name} | {name for name, _, _ in edits(PAGE)}
    assert len(files | {"docs/ledger.md"}) <= MOST_FILES
