from __future__ import annotations

from pathlib import Path

from tools.snapshot import module_lines


def test_our_files_run_vendored_ones_are_data_and_the_entry_comes_first(tmp_path: Path) -> None:
    vendored = ("python_modules/x/a.mjs", "python_modules/x/a.py", "python_modules/x/b.so")
    for name in ("README.md", "entry.py", "lib/a.py", "lib/a.mjs", *vendored):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    assert module_lines(tmp_path, "entry.py") == [
        '(name = "entry.py", pythonModule = embed "out/entry.py")',
        '(name = "lib/a.mjs", esModule = embed "out/lib/a.mjs")',
        '(name = "lib/a.py", pythonModule = embed "out/lib/a.py")',
        '(name = "python_modules/x/a.mjs", data = embed "out/python_modules/x/a.mjs")',
        '(name = "python_modules/x/a.py", data = embed "out/python_modules/x/a.py")',
        '(name = "python_modules/x/b.so", data = embed "out/python_modules/x/b.so")',
    ]
