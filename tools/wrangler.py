"""Every wrangler that we start: with our workerd, and calling nobody unless it must."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tools import node
from tools.env_file import write_private
from tools.process import tie
from tools.project import ROOT, WORKERD_WRAPPER, ToolError
from tools.run import shortened
from tools.state import State

DATABASE = "DB"  # the D1 database's binding in wrangler.toml: its name may be another in one's own deployment


def wrangler_environment(state: State) -> dict[str, str]:
    """Our workerd, no calls home, and nothing shared with another instance."""
    inherited = node.environment(node.find())
    inherited.pop("FORCE_COLOR", None)
    return {
        **inherited,
        "CI": "true",  # never ask
        "CLOUDFLARE_CF_FETCH_ENABLED": "false",
        "CLOUDFLARE_INCLUDE_PROCESS_ENV": "false",
        "MINIFLARE_WORKERD_PATH": str(WORKERD_WRAPPER),
        "NO_COLOR": "1",
        "WRANGLER_HIDE_BANNER": "true",
        "WRANGLER_LOG_PATH": str(state.folder / "logs"),
        "WRANGLER_REGISTRY_PATH": str(state.folder / "registry"),
        "WRANGLER_SEND_ERROR_REPORTS": "false",
        "WRANGLER_SEND_METRICS": "false",
    }


class D1Execute:
    """`wrangler d1 execute` for the database at Cloudflare that a configuration names. wrangler must be signed in."""

    def __init__(self, logs: State, configuration: Path) -> None:
        self._logs = logs
        self._configuration = configuration

    def query(self, sql: str, *, what: str) -> list[list[dict[str, Any]]]:
        """Run statements that hold no secret, as one transaction; return the rows of each."""
        return [list(result["results"]) for result in json.loads(self._run("--command", sql, what=what))]

    def script(self, sql: str, *, what: str) -> None:
        """Run statements as one transaction, from a file that only we can read: a command line is for all to see."""
        with tempfile.TemporaryDirectory(prefix="headgate-") as folder:
            file = Path(folder) / "statements.sql"
            write_private(file, sql)
            self._run("--yes", "--file", str(file), what=what)

    def _run(self, *arguments: str, what: str) -> str:
        place = ("--remote", "--config", str(self._configuration))
        done = subprocess.run(
            [*tie(), *node.wrangler("d1", "execute", DATABASE, *place, "--json", *arguments)],
            cwd=ROOT,
            env=wrangler_environment(self._logs),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ToolError(f"{what} failed: {_reason(done.stdout, done.stderr)}")
        return done.stdout


def _reason(output: str, errors: str) -> str:
    """What wrangler says is wrong, without the statements."""
    try:
        error = json.loads(output)["error"]
        return " ".join([error["text"], *(note["text"] for note in error.get("notes", ()))])
    except (ValueError, KeyError, TypeError):
        return "\n".join(shortened((output + errors).strip().splitlines()))
