from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tools import setup
from tools.steps import Step


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the steps that a set-up would do, which does nothing."""
    names: list[str] = []

    def note(*chains: Sequence[Step]) -> None:
        names.extend(step.name for chain in chains for step in chain)

    @contextlib.contextmanager
    def at_once(_lock: Path) -> Iterator[None]:
        yield

    monkeypatch.setattr(setup, "do_in_order", note)
    monkeypatch.setattr(setup, "do_side_by_side", note)
    monkeypatch.setattr(setup, "only_one", at_once)
    return names


def test_a_database_server_is_brought_only_where_it_is_asked_for(done: list[str]) -> None:
    setup.set_up()
    assert done
    assert "PostgreSQL" not in done

    setup.set_up(postgres=True)
    assert done.count("PostgreSQL") == 1


def test_it_is_brought_again_when_its_lock_changes() -> None:
    [step] = setup.postgres_steps()

    assert [path.name for path in step.inputs] == ["postgres.txt"]
    assert step.is_done()  # or these tests could not have started a server
