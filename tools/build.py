"""What a deploy sends, built without an account and without the network, and its size."""

from __future__ import annotations

import re
from pathlib import Path

from tools import node
from tools.project import ToolError
from tools.run import run
from tools.state import Store

# Before compression, as Cloudflare counts since May 2026: 64 MiB on every plan
# (https://developers.cloudflare.com/workers/platform/limits/). The budget is our own: all of it is read at each start.
LIMIT_KIB = 64 * 1024
BUDGET_KIB = 16 * 1024
UPLOAD = re.compile(r"Total Upload: ([\d.]+) KiB / gzip: ([\d.]+) KiB")


def upload_kib(output: str) -> float:
    """The size that wrangler prints. Raises ToolError when it prints none."""
    found = UPLOAD.search(output)
    if found is None:
        raise ToolError("wrangler did not print a size:\n" + output)
    return float(found[1])


def check_size(kib: float) -> str:
    """Say the size. Raises ToolError when the Worker is too large."""
    if kib > BUDGET_KIB:
        raise ToolError(
            f"the Worker has {kib / 1024:.1f} MiB, over our budget of {BUDGET_KIB // 1024}: see [python_modules] in"
            " wrangler.toml for what is left out"
        )
    return f"{kib / 1024:.1f} MiB of our budget of {BUDGET_KIB // 1024} MiB; Cloudflare takes {LIMIT_KIB // 1024}"


def chosen(store: Store) -> list[str]:
    """What tells wrangler which part of wrangler.toml holds: without it, it warns that there are several."""
    return ["--env", "postgres" if store == "postgres" else ""]


def build(folder: Path, store: Store = "d1", configuration: Path | None = None) -> str:
    """Write what a deploy would send into `folder`/out; return what wrangler says of it.

    By wrangler.toml's part for the store, or by the `configuration` that has only one.
    """
    which = chosen(store) if configuration is None else ["--config", str(configuration)]
    return run(
        node.wrangler("deploy", "--dry-run", *which, "--outdir", folder / "out"),
        what="wrangler deploy --dry-run",
        env={
            **node.environment(node.find()),
            "NO_COLOR": "1",
            "WRANGLER_LOG_PATH": str(folder / "logs"),
            "WRANGLER_SEND_METRICS": "false",
        },
    )
