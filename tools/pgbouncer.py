"""A connection pooler between the tests and PostgreSQL, as one stands there in production: Debian's pgbouncer.

Usage: python3 -m tools.pgbouncer      (brings it into .tools, where it is not on the PATH)

It is unpacked there from Debian's packages, so that nothing of the machine is changed.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from tools import unprivileged
from tools.arguments import flags
from tools.env_file import write_private
from tools.ports import HOST, free_port
from tools.process import Process
from tools.project import TOOLS, ToolError
from tools.run import run
from tools.steps import replace_folder

FOLDER = TOOLS / "pgbouncer"
PACKAGES = ("pgbouncer", "libc-ares2", "libevent-2.1-7", "libevent-2.1-7t64")  # by Debian's release
POOL = 2  # fewer than any test has clients, so that they share
START_SECONDS = 10.0
SETTINGS = """\
[databases]
{database} = host={host} port={port} dbname={database}

[pgbouncer]
listen_addr = {listen}
listen_port = {own_port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {pool}
"""


def program() -> Path | None:
    """Return the program, if there is one: on the PATH, or what `bring` has brought."""
    brought = FOLDER / "usr" / "sbin" / "pgbouncer"
    found = shutil.which("pgbouncer", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    return Path(found) if found else brought if brought.is_file() else None


def bring() -> None:
    """Unpack Debian's package beside us. Raises ToolError where that can't be."""
    for needed in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(needed) is None:
            raise ToolError(f"no {needed} here: install pgbouncer as this system does, and have it on the PATH")
    partial = FOLDER.with_name("pgbouncer.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    known = [name for name in PACKAGES if _has_candidate(name)]
    if "pgbouncer" not in known and unprivileged.is_root():  # a fresh machine has no lists yet
        run(["apt-get", "-qq", "-o", "Acquire::Retries=1", "update"], what="apt-get update", env=dict(os.environ))
        known = [name for name in PACKAGES if _has_candidate(name)]
    run(["apt-get", "-qq", "download", *known], what="apt-get download", env=dict(os.environ), cwd=partial)
    for package in partial.glob("*.deb"):
        run(["dpkg-deb", "-x", package, partial], what=f"unpacking {package.name}", env=dict(os.environ))
    replace_folder(partial, FOLDER)


def _has_candidate(name: str) -> bool:
    done = subprocess.run(["apt-cache", "policy", name], capture_output=True, text=True, check=False)
    return "Candidate: " in done.stdout and "Candidate: (none)" not in done.stdout


class PgBouncer:
    """A pooler in transaction mode before the database at `url`; `url` is then its own address. End it with `stop`."""

    def __init__(self, folder: Path, url: str) -> None:
        found = program()
        if found is None:
            raise ToolError("no pgbouncer: run `python3 -m tools.pgbouncer`")
        folder.mkdir(mode=0o700)
        unprivileged.give(folder)
        parts, self._port = urlsplit(url), free_port()
        self.url = url.replace(f":{parts.port}/", f":{self._port}/")
        users, settings = folder / "users.txt", folder / "pgbouncer.ini"
        write_private(users, f'"{parts.username}" "{parts.password}"\n')
        text = SETTINGS.format(
            database=parts.path.lstrip("/"),
            host=parts.hostname,
            port=parts.port,
            listen=HOST,
            own_port=self._port,
            users=users,
            pool=POOL,
        )
        write_private(settings, text)
        for file in (users, settings):
            unprivileged.give(file)
        self.lines: list[str] = []
        libraries = os.pathsep.join(str(path.parent) for path in FOLDER.rglob("lib*.so.*"))
        self._process = Process(
            [*unprivileged.prefix(found, folder), str(found), str(settings)],
            cwd=folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "LD_LIBRARY_PATH": libraries},
            on_line=lambda line, _stream: self.lines.append(line),
        )
        self._wait()

    def stop(self) -> None:
        self._process.stop()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.exit_code() is None:
            with suppress(OSError), socket.create_connection((HOST, self._port), 1):
                return
            time.sleep(0.02)
        self._process.stop()
        raise ToolError("\n".join(["pgbouncer did not start:", *self.lines[-10:]]))


if __name__ == "__main__":
    flags(__doc__)
    try:
        if program() is None:
            bring()
        print(f"pgbouncer: {program()}")
    except ToolError as error:
        sys.exit(f"pgbouncer: {error}")
