"""What a durable write costs on this disk, and where there is a disk of memory instead."""

from __future__ import annotations

import os
import time
from pathlib import Path
from statistics import median

MEMORY = Path("/dev/shm")  # noqa: S108 - Linux's own: https://man7.org/linux/man-pages/man7/shm_overview.7.html
_WRITES = 100
_PAGE = bytes(4096)


def synced_write_ms(folder: Path) -> float:
    """Return the median milliseconds in which a page is written, and is safely on disk, as a commit of SQLite is."""
    path = folder / "synced"
    took = []
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        for _ in range(_WRITES):
            started = time.perf_counter()
            os.write(file, _PAGE)
            os.fsync(file)
            took.append((time.perf_counter() - started) * 1000)
    finally:
        os.close(file)
        path.unlink()
    return median(took)
