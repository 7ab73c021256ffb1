"""The Worker's memory after its imports, as a deploy keeps it: made once for each state of the sources.

A Worker that starts from it is ready in half a second instead of four. It knows nothing of sources that have changed
since, so `make dev` starts without it, and tests with it.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from tools.build import build
from tools.ports import free_port
from tools.project import REQUIREMENTS, ROOT, TOOLS, wrangler_toml
from tools.snapshot import FILE, configuration, save
from tools.steps import only_one

FOLDER = TOOLS / "snapshots"
KEPT = 3  # some 50 MB each; another run may use an older one
# Beside the sources: the packages, what of them is sent, what the runtime is packed from and by, and how it is started.
INPUTS = (
    *(REQUIREMENTS / "worker.txt", ROOT / "wrangler.toml", ROOT / "package-lock.json"),
    *(ROOT / "tools" / name for name in ("build.py", "pack_runtime.py", "project.py", "snapshot.py", "vendor.py")),
)


def kept_snapshot() -> Path:
    """Return the folder with the snapshot of the sources as they are. Raises ToolError with what workerd said."""
    with only_one(FOLDER / "lock"):
        folder = FOLDER / digest()
        while not (folder / FILE).exists():
            _make(folder)
            made, folder = folder, FOLDER / digest()
            if made != folder:  # somebody has changed them meanwhile: nobody knows what of them it has
                shutil.rmtree(made)
            _drop_old()
        return folder


def digest() -> str:
    """Tell one state of the sources from another."""
    source = sorted(path for path in (ROOT / "src").rglob("*") if path.is_file() and path.suffix != ".pyc")
    total = hashlib.sha256()
    for path in (*INPUTS, *source):
        content = path.read_bytes()
        total.update(f"{path.relative_to(ROOT)} {len(content)}\n".encode() + content)
    return total.hexdigest()[:16]


def _make(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=FOLDER) as name:
        made = Path(name)
        build(made)
        text = configuration(made, free_port(), Path(wrangler_toml()["main"]).name)
        (made / "config.capnp").write_text(text, encoding="utf-8")
        save(made)
        folder.mkdir(exist_ok=True)
        (made / FILE).replace(folder / FILE)


def _drop_old() -> None:
    """Those too that were not finished: whoever made one was killed, since nobody else makes one meanwhile."""
    made = sorted(FOLDER.glob(f"*/{FILE}"), key=lambda path: path.stat().st_mtime)
    kept = {path.parent for path in made[-KEPT:]}
    for folder in FOLDER.iterdir():
        if folder.is_dir() and folder not in kept:
            shutil.rmtree(folder)
