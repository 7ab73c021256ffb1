"""The processor time of a process, as Linux tells it in /proc."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

# Places in /proc/PID/stat behind the program's name: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
_OWN = (11, 12)  # in user mode, in the kernel
_CHILDREN = (13, 14)  # the same of children that have ended


def cpu_seconds(pid: int, *, with_children: bool = False) -> float:
    """What the process has used so far, and those of its children that have ended; not a number where it is unknown."""
    fields = proc(pid, "stat").rpartition(")")[2].split()
    places = (*_OWN, *_CHILDREN) if with_children else _OWN
    return sum(int(fields[place]) for place in places) / os.sysconf("SC_CLK_TCK") if fields else math.nan


def proc(pid: int, name: str) -> str:
    """Return a text that Linux keeps about the process; elsewhere nothing."""
    return Path(f"/proc/{pid}/{name}").read_text(encoding="ascii") if sys.platform == "linux" else ""
