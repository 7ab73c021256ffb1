"""A child process that dies with us, with its output relayed line by line."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 10.0

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent(sign: signal.Signals) -> None:
    """Ask Linux to send us `sign` when the thread that started us ends. Elsewhere there is no such thing."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(sign), 0, 0, 0)


@cache
def tie() -> tuple[str, ...]:
    """What to put before a command so that it is killed when the thread that starts it ends; empty where unknown.

    A program does it, and not a hook between fork and exec, which may hang in a process with threads.
    """
    program = shutil.which("setpriv")
    prefix = (program or "", "--pdeathsig", "KILL", "--")
    known = program and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    return prefix if known else ()


class Process:
    """A program in a process group of its own, so that Ctrl-C reaches only us and we end it in order.

    `on_line` is called with each line (no line end) and the stream's number: 1 is stdout, 2 is stderr.
    Start it from a thread that lives as long as the program should: the program is killed when that thread ends.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        on_line: Callable[[str, int], None],
        keep_stdin: bool = False,
    ) -> None:
        self._child = subprocess.Popen(
            [*tie(), *command],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.PIPE if keep_stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.pid = self._child.pid
        self._readers = [
            threading.Thread(target=_relay, args=(stream, number, on_line), daemon=True)
            for stream, number in ((self._child.stdout, 1), (self._child.stderr, 2))
            if stream is not None
        ]
        for reader in self._readers:
            reader.start()

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._child.poll()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End it and all that it started: politely, then, after `seconds`, by force."""
        if self.exit_code() is None:
            with contextlib.suppress(ProcessLookupError):
                self._child.terminate()  # only the program itself, which ends its own children in order
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(seconds)
        self.kill()

    def kill(self) -> None:
        """End the whole group at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._child.wait()
        for reader in self._readers:
            reader.join(2)
        for stream in (self._child.stdin, self._child.stdout, self._child.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def _relay(stream: IO[bytes], number: int, on_line: Callable[[str, int], None]) -> None:
    with contextlib.suppress(ValueError, OSError):  # closed under us at the end
        for line in stream:
            on_line(line.decode("utf-8", "replace").rstrip("\r\n"), number)
