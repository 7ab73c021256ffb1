"""Files that are made from others: make them, or check that they are fresh.

Usage: python -m tools.generated [--check]
"""

from __future__ import annotations

import os
import subprocess
import sys

from tools.arguments import is_check
from tools.project import ROOT

# Each is a script that writes its file, and with `--check` exits with 1 when the file is not what it would write.
GENERATORS = (
    *("tools/client_types.py", "tools/row_types.py", "tools/make_prices.py", "tools/make_common_passwords.py"),
    "tools/permissions.py",
)


def main() -> int:
    only = ["--check"] if is_check(__doc__) else []
    path = os.pathsep.join(str(folder) for folder in (ROOT / "src", ROOT))
    failed = 0
    for script in GENERATORS:
        if (ROOT / script).exists():
            command = [sys.executable, script, *only]
            failed |= subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, check=False).returncode
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
