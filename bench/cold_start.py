"""From the start of the process to the first answer, with and without the snapshot that a deploy makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.configuration import write_configuration
from bench.workerd import Workerd
from tools.snapshot import save

LOAD_SNAPSHOT = ("--python-load-snapshot", "snapshot.bin")


@dataclass(frozen=True)
class ColdStart:
    """Seconds, medians of several starts; and the snapshot's size."""

    without_snapshot: float
    with_snapshot: float
    snapshot_mib: float


def measure(folder: Path, main: str, variables: Mapping[str, str], starts: int) -> ColdStart:
    """Make `folder`/snapshot.bin of the modules in `folder`/out, then start with it and without."""
    ports = write_configuration(folder, main, variables)
    snapshot_bytes = save(folder)
    seconds: dict[tuple[str, ...], list[float]] = {(): [], LOAD_SNAPSHOT: []}
    for _ in range(starts):
        for options, measured in seconds.items():
            with Workerd(folder, *options) as workerd:
                measured.append(workerd.first_answer(ports.headgate))
    return ColdStart(median(seconds[()]), median(seconds[LOAD_SNAPSHOT]), snapshot_bytes / 2**20)
