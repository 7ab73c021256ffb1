"""Deploy to Cloudflare: first a dry run that shows the size, then the official `pywrangler deploy`.

Usage: python -m tools.deploy [--dry-run]      (in the development environment; `make deploy` sets it up)

The dry run needs no account and no network. The rest needs `wrangler login`, or CLOUDFLARE_API_TOKEN in the
environment: docs/deployment.md tells the whole way.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import node
from tools.project import ROOT, TOOLS, VENV, ToolError, wrangler_toml
from tools.run import run

MAX_COMPRESSED_KIB = 3 * 1024  # what Cloudflare takes from a free account; a paid one may send 10 MB
PLACEHOLDER_ID = "00000000-0000-0000-0000-000000000000"
UPLOAD = re.compile(r"Total Upload: ([\d.]+) KiB / gzip: ([\d.]+) KiB")


def compressed_kib(output: str) -> float:
    """The compressed size that wrangler prints. Raises ToolError when it prints none."""
    found = UPLOAD.search(output)
    if found is None:
        raise ToolError("wrangler did not print a size:\n" + output)
    return float(found[2])


def check_size(kib: float) -> None:
    """Raises ToolError when the Worker is too large."""
    print(f"Compressed size: {kib:.0f} KiB of {MAX_COMPRESSED_KIB} KiB.")
    if kib > MAX_COMPRESSED_KIB:
        raise ToolError("the Worker is too large: see [python_modules] in wrangler.toml for what is left out")


def check_database() -> None:
    """Raises ToolError while wrangler.toml still has the placeholder for the database."""
    if any(database["database_id"] == PLACEHOLDER_ID for database in wrangler_toml()["d1_databases"]):
        raise ToolError("wrangler.toml has no database yet: run `wrangler d1 create headgate` (docs/deployment.md)")


def build(folder: Path) -> str:
    """Write what a deploy would send into `folder`/out; return what wrangler says of it."""
    return run(
        node.wrangler("deploy", "--dry-run", "--outdir", folder / "out"),
        what="wrangler deploy --dry-run",
        env={
            **node.environment(node.find()),
            "NO_COLOR": "1",
            "WRANGLER_LOG_PATH": str(folder / "logs"),
            "WRANGLER_SEND_METRICS": "false",
        },
    )


def dry_run() -> float:
    """Build as a deploy would; return the compressed size in KiB."""
    with tempfile.TemporaryDirectory() as folder:
        return compressed_kib(build(Path(folder)))


def deploy() -> int:
    """Hand over to pywrangler, which fetches the Worker's packages anew from Pyodide's index."""
    found = node.find()
    folders = [str(VENV / "bin"), str(TOOLS / "uv" / "bin"), str(found.folder), os.environ.get("PATH", "")]
    environment = {**os.environ, "PATH": os.pathsep.join(folders)}
    return subprocess.run([VENV / "bin" / "pywrangler", "deploy"], cwd=ROOT, env=environment, check=False).returncode


def main() -> int:
    check_size(dry_run())
    if "--dry-run" in sys.argv:
        return 0
    check_database()
    return deploy()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ToolError as error:
        sys.exit(f"deploy: {error}")
