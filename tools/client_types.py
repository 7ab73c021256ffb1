"""Write clients/typescript/headgate.d.ts from the OpenAPI document that `GET /openapi.json` answers: the API, typed.

Usage: python -m tools.client_types [--check]      (--check only tells whether the file is fresh)

openapi-typescript does the work, from node_modules, without the network. Its version is pyproject.toml's.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from lib.web.openapi import Document, document
from lib.web.route import Route
from routes import ROUTES
from tools import node
from tools.arguments import is_check
from tools.project import NODE_MODULES, ROOT, ToolError, toolchain

OUTPUT = ROOT / "clients" / "typescript" / "headgate.d.ts"

OPTIONS = (
    "--default-non-nullable=false",  # a field of a request that has a default may be left out
    "--root-types",  # `import type { Key }`, not only `components["schemas"]["Key"]`
    "--root-types-no-schema-prefix",
)
HEADER = """\
// The API of Headgate as TypeScript types; README.md, beside this file, shows how to use them.
// Made by `make types` from the routes' declarations with openapi-typescript {version}; don't edit.
// `make check` fails when it is stale.

"""


def render(described: Document) -> str:
    """Return the definitions for an OpenAPI document. Raises ToolError where it is not a valid one."""
    program = NODE_MODULES / "openapi-typescript" / "bin" / "cli.js"
    command = [str(node.find().node), str(program), *OPTIONS]
    text = json.dumps(described)
    done = subprocess.run(
        command, cwd=ROOT, input=text, capture_output=True, encoding="utf-8", check=False, timeout=120
    )
    if done.returncode != 0 or "export interface paths" not in done.stdout:
        raise ToolError(f"openapi-typescript refused the document: {(done.stderr or done.stdout).strip()[-2000:]}")
    return HEADER.format(version=toolchain().npm["openapi-typescript"]) + done.stdout.rstrip() + "\n"


def main(routes: Sequence[Route] = ROUTES) -> None:
    check = is_check(__doc__)
    try:
        fresh = render(document(routes))
    except ToolError as error:
        sys.exit(f"client types: {error}")
    if not check:
        OUTPUT.parent.mkdir(parents=True, exist_ok=True)
        OUTPUT.write_text(fresh, encoding="utf-8")
    elif not OUTPUT.exists() or OUTPUT.read_text(encoding="utf-8") != fresh:
        sys.exit("clients/typescript/headgate.d.ts is stale: run make types")


if __name__ == "__main__":
    main()
