"""Steps of the set-up: each is done once, and again only when what it was made from has changed."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


def _say(line: str) -> None:
    sys.stderr.write(f"setup: {line}\n")  # in one piece: two steps may speak at once
    sys.stderr.flush()


@dataclass(frozen=True)
class Step:
    """`make` brings `result` about from `inputs`; `stamp` is written last, so a killed step counts as not done."""

    name: str
    make: Callable[[], None]
    stamp: Path
    result: Path
    inputs: tuple[Path, ...] = ()
    facts: tuple[str, ...] = ()  # what else the result depends on, such as a version

    def digest(self) -> str:
        total = hashlib.sha256()
        for fact in self.facts:
            total.update(fact.encode() + b"\0")
        for path in self.inputs:
            total.update(hashlib.sha256(path.read_bytes()).digest())
        return total.hexdigest()

    def is_done(self) -> bool:
        try:
            return self.stamp.read_text(encoding="utf-8") == self.digest() and self.result.exists()
        except FileNotFoundError:
            return False

    def do(self) -> None:
        if self.is_done():
            return
        started = time.monotonic()
        _say(f"{self.name} …")
        self.stamp.unlink(missing_ok=True)
        self.make()
        self.stamp.parent.mkdir(parents=True, exist_ok=True)
        partial = self.stamp.with_name(self.stamp.name + ".partial")
        partial.write_text(self.digest(), encoding="utf-8")
        partial.replace(self.stamp)
        _say(f"{self.name}: done in {time.monotonic() - started:.1f} s")


def do_in_order(steps: Sequence[Step]) -> None:
    for step in steps:
        step.do()


def do_side_by_side(*chains: Sequence[Step]) -> None:
    """Do several chains of steps at once. Raises the first chain's error after all have ended."""
    if all(step.is_done() for chain in chains for step in chain):
        return
    with ThreadPoolExecutor(len(chains)) as pool:
        for future in [pool.submit(do_in_order, chain) for chain in chains]:
            future.result()


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Hold `lock`: two set-ups in one checkout take turns."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def replace_folder(partial: Path, final: Path) -> None:
    """Put a finished folder in place of an old one."""
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
