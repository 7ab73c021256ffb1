from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.process import Process

# A program that starts another and says both numbers; `trap` makes it deaf to SIGTERM.
PARENT = (
    "import os, signal, subprocess, sys, time; {trap}; "
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    "print(child.pid, flush=True); print('warning', file=sys.stderr, flush=True); time.sleep(60)"
)
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("trap", ["pass", DEAF])
def test_stopping_ends_the_program_and_what_it_started(trap: str, tmp_path: Path) -> None:
    lines: list[tuple[str, int]] = []
    program = [sys.executable, "-c", PARENT.format(trap=trap)]
    process = Process(program, cwd=tmp_path, env=os.environ, on_line=lambda line, stream: lines.append((line, stream)))
    wait_for(lambda: len(lines) == 2)
    grandchild = int(next(line for line, stream in lines if stream == 1))
    assert ("warning", 2) in lines
    assert process.exit_code() is None

    process.stop(0.3)

    assert process.exit_code() is not None
    wait_for(lambda: not alive(grandchild))
