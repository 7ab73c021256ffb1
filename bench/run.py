"""The benchmarks: direct, through a minimal JavaScript Worker, and through Headgate, measured side by side in one run.

Usage: .venv/bin/python bench/run.py [--quick] [--only PART] [--dimension NAME]

`make bench` sets everything up first. The whole run takes about a quarter of an hour and writes docs/benchmarks.md;
with PEERS=1 in the environment other gateways take part, and the README's table is written too. For work on the code
there are two options, which only print: `--only` measures one part, and `--quick` measures roughly, in about a minute:
the speed, or the part that `--only` names. How cost grows is measured by `--only growth` alone, in half an hour
(`--quick`: to 10,000 of each, in ten minutes), and put into the page; `--dimension` takes one of its parts, and only
prints.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]  # run as a file, Python looks for our packages beside it only
    suite, project = import_module("bench.suite"), import_module("tools.project")
    try:
        suite.run(sys.argv[1:], str(__doc__))
    except project.ToolError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
