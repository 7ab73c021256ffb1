"""When a snapshot is made, and when one is kept. That a Worker starts from it, the end-to-end tests show."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools import kept_snapshot as module


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders for which a snapshot was made; here each is a small file."""
    made: list[Path] = []

    def make(folder: Path) -> None:
        folder.mkdir()
        (folder / "snapshot.bin").write_bytes(b"memory")
        os.utime(folder / "snapshot.bin", (len(made), len(made)))
        made.append(folder)

    monkeypatch.setattr(module, "FOLDER", tmp_path / "snapshots")
    monkeypatch.setattr(module, "_make", make)
    return made


def test_one_state_of_the_sources_has_one_snapshot_and_few_are_kept(
    made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [module.kept_snapshot(), module.kept_snapshot()] == [made[0], made[0]]
    unfinished = module.FOLDER / "tmp" / "out"
    unfinished.mkdir(parents=True)
    for state in "abc":
        monkeypatch.setattr(module, "digest", lambda state=state: state)
        assert module.kept_snapshot() == made[-1]
    assert [folder.exists() for folder in (*made, unfinished)] == [False, True, True, True, False]


def test_one_that_was_made_while_the_sources_changed_is_not_kept(
    made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    states = iter(["before", "after", "after"])
    monkeypatch.setattr(module, "digest", lambda: next(states))
    assert module.kept_snapshot() == made[1]
    assert [folder.exists() for folder in made] == [False, True]


def test_every_source_and_what_is_sent_beside_them_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "INPUTS", (tmp_path / "wrangler.toml",))
    files = [tmp_path / name for name in ("wrangler.toml", "src/entry.py", "src/lib/plane.mjs")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("before")
    seen = [module.digest()]
    for file in files:
        file.write_text("after")
        seen.append(module.digest())
    (tmp_path / "src" / "a.pyc").write_text("no source")
    assert module.digest() == seen[-1]
    assert len(set(seen)) == 4
