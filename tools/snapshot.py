"""Make the snapshot that a deploy makes, and start the Worker from it.

Usage: python -m tools.snapshot      (in the development environment)

Cloudflare runs the Worker's imports once, at the deploy, and keeps the memory. What is forbidden then (randomness, I/O,
JavaScript objects kept in a module) is an error only there: this finds it before. It runs bare workerd, with the same
files that a deploy sends, and hashes a password in what was restored: the library for that is no module of Python's.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from tools.arguments import flags
from tools.build import build
from tools.ports import HOST, free_port
from tools.process import Process
from tools.project import RUNTIME, ToolError, local_flags, wrangler_toml
from tools.vendor import workerd_binary

SECONDS = 60.0
FILE = "snapshot.bin"
ENTRY = Path(__file__).with_name("snapshot_entry.py")
HASH_PATH = "/__snapshot/hash"
# The reference library's own test vector (test.c of https://github.com/P-H-C/phc-winner-argon2).
KNOWN_HASH = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
MAX_MIB = 96  # an isolate has 128 MB, and begins with the snapshot's
KINDS = {".py": "pythonModule", ".mjs": "esModule"}  # of what is ours; vendored files are data
CONFIGURATION = """\
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .headgate)],
  sockets = [(name = "http", address = "{host}:{port}", http = (), service = "main")]
);
const headgate :Workerd.Worker = (
  modules = [
    {modules}
  ],
  compatibilityDate = "{date}",
  compatibilityFlags = [{flags}],
  durableObjectNamespaces = [{objects}],
  durableObjectStorage = (inMemory = void)
);
"""


def module_lines(out: Path, main: str) -> list[str]:
    """One line of configuration for each file that wrangler built, the entry first."""
    lines = []
    for path in sorted(out.rglob("*"), key=lambda path: (path.name != main, str(path))):
        name = path.relative_to(out).as_posix()
        if path.is_file() and name != "README.md":  # wrangler's own note on the folder
            ours = KINDS.get(path.suffix, "data") if not name.startswith("python_modules/") else "data"
            lines.append(f'(name = "{name}", {ours} = embed "out/{name}")')
    return lines


def add_entry(folder: Path) -> str:
    """Put the entry that hashes beside the modules in `folder`/out; return its name."""
    shutil.copyfile(ENTRY, folder / "out" / ENTRY.name)
    return ENTRY.name


def configuration(folder: Path, port: int, main: str) -> str:
    wrangler = wrangler_toml()
    bindings = wrangler["durable_objects"]["bindings"]
    return CONFIGURATION.format(
        host=HOST,
        port=port,
        modules=",\n    ".join(module_lines(folder / "out", main)),
        date=wrangler["compatibility_date"],
        flags=", ".join(f'"{flag}"' for flag in local_flags()),
        objects=", ".join(
            f'(className = "{b["class_name"]}", uniqueKey = "{b["name"]}", enableSql = true)' for b in bindings
        ),
    )


class BareWorkerd:
    """workerd over the configuration in `folder`, without wrangler around it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.lines: list[str] = []
        directories = [f"--pyodide-bundle-disk-cache-dir={RUNTIME}", f"--python-snapshot-dir={folder}"]
        self._process = Process(
            [str(workerd_binary()), "serve", "--experimental", *directories, *options, "config.capnp"],
            cwd=folder,
            env=os.environ,
            on_line=lambda line, _stream: self.lines.append(line),
        )

    def check_alive(self, deadline: float) -> None:
        """Raises ToolError with what it said when it has ended, or when the time is over."""
        if self._process.exit_code() is not None or time.monotonic() > deadline:
            self.stop()
            raise ToolError("\n".join(["no snapshot, or no start from it:", *self.lines]))

    def stop(self) -> None:
        self._process.stop(2)


def save(folder: Path) -> int:
    """Make `folder`/snapshot.bin; return its size. Raises ToolError with what workerd said."""
    workerd = BareWorkerd(folder, "--python-save-snapshot")
    file, deadline, seen = folder / FILE, time.monotonic() + SECONDS, 0
    while not (file.exists() and file.stat().st_size == seen > 0):  # written, and no longer growing
        seen = file.stat().st_size if file.exists() else 0
        workerd.check_alive(deadline)
        time.sleep(0.2)
    workerd.stop()
    return seen


def first_answer_seconds(folder: Path, port: int) -> float:
    """From the start of the process to the first answer. Any status will do: bare workerd has no database.

    Then a password is hashed, by a library that is loaded only then. Raises ToolError where that fails.
    """
    started = time.monotonic()
    workerd = BareWorkerd(folder, "--python-load-snapshot", FILE)
    while True:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/healthz", timeout=SECONDS):
                break
        except urllib.error.HTTPError as error:
            error.close()
            break
        except OSError:
            workerd.check_alive(started + SECONDS)
            time.sleep(0.02)
    elapsed = time.monotonic() - started
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{HASH_PATH}", timeout=SECONDS) as answer:
            hashed = answer.read().decode()
    except OSError as error:
        raise ToolError("\n".join([f"no password is hashed from the snapshot: {error}", *workerd.lines])) from None
    finally:
        workerd.stop()
    if hashed != KNOWN_HASH:
        raise ToolError(f"a password is hashed wrongly from the snapshot: {hashed}")
    return elapsed


def main() -> None:
    flags(__doc__)
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        build(folder)
        (folder / "config.capnp").write_text(configuration(folder, port, add_entry(folder)), encoding="utf-8")
        mib = save(folder) / 2**20
        seconds = first_answer_seconds(folder, port)
    print(f"Snapshot: {mib:.0f} MiB of {MAX_MIB}; from it, the first answer takes {seconds:.2f} s.")
    if mib > MAX_MIB:
        raise ToolError("the snapshot is too large: what is imported leaves too little memory for requests")


if __name__ == "__main__":
    try:
        main()
    except ToolError as error:
        sys.exit(f"snapshot: {error}")
