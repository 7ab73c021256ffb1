"""Other processes: which a process has started, and what a number runs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
HAS_PROC = (PROC / "self" / "stat").exists()  # Linux, where a small image may have no ps


class Running(NamedTuple):
    """A process. Its state is Z when it has ended and its parent has not noticed."""

    pid: int
    parent: int
    state: str
    name: str


def children(pid: int) -> list[int]:
    """The numbers of the processes that `pid` has started and that still run."""
    return [process.pid for process in _all() if process.parent == pid and process.state != "Z"]


def command_name(pid: int) -> str | None:
    """The name of the program that `pid` runs, or None when it has ended."""
    return next((process.name for process in _all() if process.pid == pid and process.state != "Z"), None)


def _all() -> list[Running]:
    return _from_proc() if HAS_PROC else _from_ps()


def _from_proc() -> list[Running]:
    found = []
    for file in PROC.glob("[0-9]*/stat"):
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        before, _, after = text.rpartition(")")  # 12 (a name) S 1 …
        number, _, name = before.partition(" (")
        state, parent = after.split()[:2]
        found.append(Running(int(number), int(parent), state, name))
    return found


def _from_ps() -> list[Running]:
    command = ["ps", "-A", "-o", "pid=,ppid=,stat=,comm="]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [line.split(None, 3) for line in lines]
    return [Running(int(pid), int(parent), state[0], Path(path).name) for pid, parent, state, path in rows]
