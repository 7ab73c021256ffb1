"""Headgates that start fast: from the Worker's memory after its imports, and with a database that is made once.

Both are what a stack of its own would make. On D1 the secrets and the first organisation of all are therefore the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.support.chosen import STORE
from tools.migrate import migrate, seed
from tools.stack import Stack
from tools.state import State


@dataclass(frozen=True)
class Stacks:
    """`folder_for` makes an empty folder; `prepared` is a state with a migrated and seeded D1."""

    folder_for: Callable[[str], Path]
    prepared: Path
    snapshot: Path | None

    def new(self, name: str, *, port: int = 0, variables: Mapping[str, str] | None = None) -> Stack:
        """A stack that has not been started yet."""
        folder = self.folder_for(name)
        if STORE == "d1":
            shutil.copytree(self.prepared, folder, dirs_exist_ok=True)
        return Stack(folder, store=STORE, port=port, variables=variables, snapshot=self.snapshot)

    def new_from_nothing(self, name: str) -> Stack:
        """A stack that makes its secrets and its first organisation itself: no other has the same."""
        return Stack(self.folder_for(name), store=STORE, snapshot=self.snapshot)


def prepare(folder: Path) -> Path:
    """Make the state that others are copied from. PostgreSQL is ready in a second: each has its own from the start."""
    if STORE == "d1":
        state = State(folder)
        migrate(state)
        seed(state)
    return folder
