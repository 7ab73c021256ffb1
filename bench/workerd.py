"""Bare workerd as a child process: no wrangler, no proxy between it and who measures."""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

from bench.processor import cpu_seconds, proc
from tools.ports import HOST
from tools.process import tie
from tools.project import RUNTIME, ToolError
from tools.vendor import workerd_binary

START_SECONDS = 60.0
POLL_SECONDS = 0.005
LAST_LINES = 30


class Workerd:
    """Runs `folder`/config.capnp. What it prints goes to a file: a reader would cost processor time."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._log = folder / "workerd.log"
        directories = [f"--pyodide-bundle-disk-cache-dir={RUNTIME}", f"--python-snapshot-dir={folder}"]
        command = [*tie(), str(workerd_binary()), "serve", "--experimental", *directories, *options, "config.capnp"]
        self.started = time.monotonic()
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                command, cwd=folder, env=os.environ, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        self.pid = self._child.pid

    def __enter__(self) -> Workerd:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def first_answer(self, port: int) -> float:
        """Wait until `port` answers, whatever its status; return the seconds since the process was started."""
        while True:
            with contextlib.suppress(OSError):
                ask(port, "/livez")
                return time.monotonic() - self.started
            self.check_alive()
            time.sleep(POLL_SECONDS)

    def check_alive(self) -> None:
        """Raises ToolError with its last lines when it has ended, or takes too long to start."""
        if self._child.poll() is not None or time.monotonic() - self.started > START_SECONDS:
            raise ToolError("\n".join(["workerd does not answer:", *self.last_lines()]))

    def last_lines(self) -> list[str]:
        """The end of what it printed."""
        return self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]

    def resident_mib(self) -> float:
        """The memory of the process that is in RAM."""
        pages = proc(self.pid, "statm").split()
        return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20 if pages else math.nan

    def cpu_seconds(self) -> float:
        """The processor time that the process has used so far, in user mode and in the kernel."""
        return cpu_seconds(self.pid)

    def stop(self) -> None:
        self._child.terminate()
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def ask(port: int, path: str, body: bytes | None = None) -> bytes:
    """Return the body of an answer of any status. Raises OSError while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", body, timeout=START_SECONDS) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.read()
