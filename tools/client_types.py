"""Write clients/typescript/headgate.d.ts from docs/openapi.json: what browsers call, typed.

Usage: python -m tools.client_types [--check]      (--check only tells whether the file is fresh)

openapi-typescript does the work, from node_modules, without the network. Its version is pyproject.toml's.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools import node
from tools.arguments import is_check
from tools.project import NODE_MODULES, ROOT, ToolError, toolchain

DOCUMENT = ROOT / "docs" / "openapi.json"
OUTPUT = ROOT / "clients" / "typescript" / "headgate.d.ts"

OPTIONS = (
    "--default-non-nullable=false",  # a field of a request that has a default may be left out
    "--root-types",  # `import type { Key }`, not only `components["schemas"]["Key"]`
    "--root-types-no-schema-prefix",
)
HEADER = """\
// The API of Headgate as TypeScript types; README.md, beside this file, shows how to use them.
// Made by `make types` from docs/openapi.json with openapi-typescript {version}; don't edit.
// `make check` fails when it is stale.

"""


def render(document: Path) -> str:
    """Return the definitions for an OpenAPI document. Raises ToolError where it is not a valid one."""
    program = NODE_MODULES / "openapi-typescript" / "bin" / "cli.js"
    command = [str(node.find().node), str(program), str(document), *OPTIONS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False, timeout=120)
    if done.returncode != 0 or "export interface paths" not in done.stdout:
        raise ToolError(f"openapi-typescript refused {document.name}: {(done.stderr or done.stdout).strip()[-2000:]}")
    return HEADER.format(version=toolchain().npm["openapi-typescript"]) + done.stdout.rstrip() + "\n"


def main() -> None:
    check = is_check(__doc__)
    try:
        fresh = render(DOCUMENT)
    except ToolError as error:
        sys.exit(f"client types: {error}")
    if not check:
        OUTPUT.parent.mkdir(parents=True, exist_ok=True)
        OUTPUT.write_text(fresh, encoding="utf-8")
    elif not OUTPUT.exists() or OUTPUT.read_text(encoding="utf-8") != fresh:
        sys.exit("clients/typescript/headgate.d.ts is stale: run make types")


if __name__ == "__main__":
    main()
