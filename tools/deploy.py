"""Deploy to Cloudflare: first a dry run that shows the size, then the official `pywrangler deploy`.

Usage: python -m tools.deploy [--dry-run]      (in the development environment; `make deploy` sets it up)

STORE in the environment chooses where the data is: d1 (the default) or postgres. The dry run needs no account and no
network. The rest needs `wrangler login`, or CLOUDFLARE_API_TOKEN in the environment: docs/deployment.md tells the whole
way.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tools import node
from tools.arguments import flags
from tools.project import ROOT, TOOLS, VENV, ToolError, wrangler_toml
from tools.run import run
from tools.state import Store, store_named

# Before compression, as Cloudflare counts since May 2026: 64 MiB on every plan
# (https://developers.cloudflare.com/workers/platform/limits/). The budget is our own: all of it is read at each start.
LIMIT_KIB = 64 * 1024
BUDGET_KIB = 16 * 1024
NEXT_STEP = {"d1": "wrangler d1 create headgate", "postgres": "wrangler hyperdrive create headgate"}
UPLOAD = re.compile(r"Total Upload: ([\d.]+) KiB / gzip: ([\d.]+) KiB")


def upload_kib(output: str) -> float:
    """The size that wrangler prints. Raises ToolError when it prints none."""
    found = UPLOAD.search(output)
    if found is None:
        raise ToolError("wrangler did not print a size:\n" + output)
    return float(found[1])


def check_size(kib: float) -> None:
    """Raises ToolError when the Worker is too large."""
    print(
        f"Size: {kib / 1024:.1f} MiB of our budget of {BUDGET_KIB // 1024} MiB; Cloudflare takes {LIMIT_KIB // 1024}."
    )
    if kib > BUDGET_KIB:
        raise ToolError("the Worker is too large: see [python_modules] in wrangler.toml for what is left out")


def check_database(store: Store, document: dict[str, Any]) -> None:
    """Raises ToolError while wrangler.toml (`document`) still has the placeholder for the store's database."""
    if store == "d1":
        ids = [database["database_id"] for database in document["d1_databases"]]
    else:
        ids = [hyperdrive["id"] for hyperdrive in document["env"]["postgres"]["hyperdrive"]]
    if any(not set(text) - {"0", "-"} for text in ids):
        raise ToolError(f"wrangler.toml has no database yet: run `{NEXT_STEP[store]}` (docs/deployment.md)")


def chosen(store: Store) -> list[str]:
    """What tells wrangler which part of wrangler.toml holds: without it, it warns that there are several."""
    return ["--env", "postgres" if store == "postgres" else ""]


def build(folder: Path, store: Store = "d1") -> str:
    """Write what a deploy would send into `folder`/out; return what wrangler says of it."""
    return run(
        node.wrangler("deploy", "--dry-run", *chosen(store), "--outdir", folder / "out"),
        what="wrangler deploy --dry-run",
        env={
            **node.environment(node.find()),
            "NO_COLOR": "1",
            "WRANGLER_LOG_PATH": str(folder / "logs"),
            "WRANGLER_SEND_METRICS": "false",
        },
    )


def dry_run(store: Store) -> float:
    """Build as a deploy would; return the size in KiB."""
    with tempfile.TemporaryDirectory() as folder:
        return upload_kib(build(Path(folder), store))


def deploy(store: Store) -> int:
    """Hand over to pywrangler, which fetches the Worker's packages anew from Pyodide's index."""
    found = node.find()
    folders = [str(VENV / "bin"), str(TOOLS / "uv" / "bin"), str(found.folder), os.environ.get("PATH", "")]
    environment = {**os.environ, "PATH": os.pathsep.join(folders)}
    command = [str(VENV / "bin" / "pywrangler"), "deploy", *chosen(store)]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def main() -> int:
    options = flags(__doc__, dry_run="build, and print the size; send nothing")
    store = store_named(os.environ.get("STORE") or "d1")
    check_size(dry_run(store))
    if options.dry_run:
        return 0
    check_database(store, wrangler_toml())
    return deploy(store)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ToolError as error:
        sys.exit(f"deploy: {error}")
