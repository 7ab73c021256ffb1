"""A D1 database on this machine, worked on without a Worker: tools/local_d1.ts does it, on the real workerd."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from typing import Any

from tools import node
from tools.process import tie
from tools.project import ROOT, ToolError, wrangler_toml
from tools.state import State
from tools.wrangler import wrangler_environment

BUSY_SECONDS = 20.0
_NOTHING = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/|;)*", re.DOTALL)


class LocalD1:
    """The database that `wrangler dev` uses with this state."""

    def __init__(self, state: State) -> None:
        self._state = state

    def query(self, sql: str, *, what: str) -> list[list[dict[str, Any]]]:
        """Run statements as one transaction; return the rows of each. Raises ToolError with SQLite's words."""
        asked, deadline = json.dumps(list(statements(sql))), time.monotonic() + BUSY_SECONDS
        done = self._once(asked)
        # Two that open one file at the same moment. All is one transaction, so nothing of it has happened.
        while done.returncode != 0 and "SQLITE_BUSY" in done.stdout + done.stderr and time.monotonic() < deadline:
            time.sleep(0.5)
            done = self._once(asked)
        if done.returncode != 0:
            raise ToolError(f"{what} failed: {_reason(done)}")
        return list(json.loads(done.stdout))

    def script(self, sql: str, *, what: str) -> None:
        """Run statements as one transaction."""
        self.query(sql, what=what)

    def _once(self, asked: str) -> subprocess.CompletedProcess[str]:
        [database] = wrangler_toml()["d1_databases"]
        program = ROOT / "tools" / "local_d1.ts"
        return subprocess.run(
            [*tie(), str(node.find().node), str(program), str(self._state.folder), database["preview_database_id"]],
            cwd=ROOT,
            env=wrangler_environment(self._state),
            input=asked,
            capture_output=True,
            text=True,
            check=False,
        )


def statements(sql: str) -> Iterator[str]:
    """Yield the statements of a text, as SQLite ends them. A semicolon in a text, a comment or a trigger ends none."""
    start = 0
    for found in re.finditer(";", sql):
        if sqlite3.complete_statement(sql[start : found.end()]):
            if not _NOTHING.fullmatch(sql, start, found.end()):
                yield sql[start : found.end()].strip()
            start = found.end()
    if not _NOTHING.fullmatch(sql, start):
        yield sql[start:].strip()


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """What SQLite says is wrong, without the statements; or what the program said before it came so far."""
    try:
        return str(json.loads(done.stdout)["error"])
    except ValueError:
        return (done.stdout + done.stderr).strip()
