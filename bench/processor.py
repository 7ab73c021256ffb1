"""The processor time of a process, as Linux tells it."""

from __future__ import annotations

import math
import os
import sys
import time
from pathlib import Path

# Places in /proc/PID/stat behind the program's name: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
_CHILDREN = (13, 14)  # of children that have ended: in user mode, in the kernel
# The clock of all threads of a process, those that have ended too: what clock_getcpuclockid(3) makes of a PID.
_ALL_THREADS = 2


def cpu_seconds(pid: int, *, with_children: bool = False) -> float:
    """What the process has used so far, to the microsecond; and those of its children that have ended, to the tick.

    Not a number where it is unknown.
    """
    if sys.platform != "linux":
        return math.nan
    own = time.clock_gettime(~pid << 3 | _ALL_THREADS)
    if not with_children:
        return own
    fields = proc(pid, "stat").rpartition(")")[2].split()
    return own + sum(int(fields[place]) for place in _CHILDREN) / os.sysconf("SC_CLK_TCK")


def proc(pid: int, name: str) -> str:
    """Return a text that Linux keeps about the process; elsewhere nothing."""
    return Path(f"/proc/{pid}/{name}").read_text(encoding="ascii") if sys.platform == "linux" else ""
