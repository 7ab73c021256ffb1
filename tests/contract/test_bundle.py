"""What a deploy sends is what is tested here: the files of src/, and the vendored packages without what wrangler.toml
leaves out, whichever of the two ways has vendored them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools import node
from tools.build import build
from tools.project import PYTHON_MODULES, ROOT
from tools.run import run

# What pywrangler installs besides: the packages that ours name as theirs, and theirs in turn, from Pyodide's index.
BESIDE = {
    "cffi": ("cffi/__init__.py", "cffi/_cffi_errors.h", "_cffi_backend.cpython-314-wasm32-emscripten.so"),
    "pycparser": ("pycparser/__init__.py", "pycparser/c_parser.py"),
    "httpcore": ("httpcore/__init__.py", "httpcore/_async/http2.py"),
    "h11": ("h11/__init__.py",),
    "anyio": ("anyio/__init__.py", "anyio/_backends/_trio.py"),
    "certifi": ("certifi/__init__.py", "certifi/cacert.pem"),
}


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a deploy would send from this checkout."""
    folder = tmp_path_factory.mktemp("bundle")
    build(folder)
    found = files(folder / "out")
    found.pop("README.md")  # wrangler's own, which it does not send
    return found


def test_the_bundle_is_the_tested_tree(sent: dict[str, bytes]) -> None:
    """Every file of src/, byte by byte, and of the vendored ones none that is not here."""
    own = {name: text for name, text in sent.items() if not name.startswith("python_modules/")}
    assert own == files(ROOT / "src")
    vendored = {name.removeprefix("python_modules/"): text for name, text in sent.items() if name not in own}
    here = files(PYTHON_MODULES)
    assert {name: here[name] for name in vendored} == vendored


def test_what_pywrangler_vendors_besides_is_left_out(sent: dict[str, bytes], tmp_path: Path) -> None:
    """`make deploy` runs it, and it brings what ours depend on: the Worker runs without, so it is not sent."""
    shutil.copytree(PYTHON_MODULES, tmp_path / "python_modules")
    for name in ("wrangler.toml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "src").symlink_to(ROOT / "src")
    for package, names in BESIDE.items():
        for name in (*names, f"{package}-1.0.dist-info/METADATA", f"{package}-1.0.dist-info/WHEEL"):
            file = tmp_path / "python_modules" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("# not ours\n")
    environment = {**node.environment(node.find()), "NO_COLOR": "1", "WRANGLER_SEND_METRICS": "false"}
    command = node.wrangler("deploy", "--dry-run", "--env", "", "--outdir", tmp_path / "out")
    run(command, what="wrangler deploy --dry-run", env=environment, cwd=tmp_path)
    found = files(tmp_path / "out")
    assert {name for name in found if name.startswith("python_modules/")} == {
        name for name in sent if name.startswith("python_modules/")
    }
