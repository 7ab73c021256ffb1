"""Write docs/openapi.json from the routes' declarations: the same document that `GET /openapi.json` answers.

Usage: python -m tools.openapi [--check]      (--check only tells whether the file is fresh)
"""

from __future__ import annotations

import json
import sys

from lib.http.openapi import document
from routes import ROUTES
from tools.arguments import is_check
from tools.project import ROOT

PATH = ROOT / "docs" / "openapi.json"


def render() -> str:
    """Return the document as text."""
    return json.dumps(document(ROUTES), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    check, fresh = is_check(__doc__), render()
    if not check:
        PATH.write_text(fresh, encoding="utf-8")
    elif not PATH.exists() or PATH.read_text(encoding="utf-8") != fresh:
        sys.exit("docs/openapi.json is stale: run python -m tools.openapi")


if __name__ == "__main__":
    main()
