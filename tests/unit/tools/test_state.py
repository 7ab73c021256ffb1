from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tools.project import ToolError
from tools.state import State


def test_the_secrets_are_random_kept_and_private(tmp_path: Path) -> None:
    first = State(tmp_path / "a").secrets()

    assert len(first["HEADGATE_SECRET"]) == 64
    assert State(tmp_path / "a").secrets() == first
    assert State(tmp_path / "b").secrets() != first
    assert stat.S_IMODE((tmp_path / "a" / "secrets.env").stat().st_mode) == 0o600


def test_two_runs_cannot_share_a_state(tmp_path: Path) -> None:
    one, other = State(tmp_path), State(tmp_path)
    one.hold()

    with pytest.raises(ToolError, match="in use by another run"):
        other.hold()

    one.release()
    other.hold()
    other.release()


def test_each_store_has_gates_of_its_own_beside_the_other(tmp_path: Path) -> None:
    state = State(tmp_path)

    assert state.wrangler_data("d1") == tmp_path  # where it always was
    assert state.wrangler_data("postgres").parent == tmp_path
    assert state.postgres not in (state.wrangler_data("postgres"), tmp_path)
