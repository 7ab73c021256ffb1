"""Run a program that refuses to run as root, also when we are root.

It runs as `nobody`, who may not enter root's folders; so it keeps one of root's powers: to pass over file permissions.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tools.project import ToolError

ACCOUNT = "nobody"
ONLY = "-all,+dac_override"
# access(2) looks at the powers only with this bit set, and PostgreSQL looks for its programs with access(2).
KEEP_POWER = (
    "--securebits=+no_setuid_fixup",
    *(f"--inh-caps={ONLY}", f"--ambient-caps={ONLY}", f"--bounding-set={ONLY}"),
)
REFUSED = (
    f"PostgreSQL refuses to run as root, and it cannot be run as {ACCOUNT} here: that needs setpriv of util-linux, and "
    "the right to change the user and to keep CAP_DAC_OVERRIDE. Run this as another user than root."
)


def is_root() -> bool:
    return os.geteuid() == 0


def give(path: Path) -> None:
    """Make `path` the account's own, when we are root."""
    if is_root():
        account = _account()
        os.chown(path, account.pw_uid, account.pw_gid)


def prefix(program: Path, folder: Path) -> tuple[str, ...]:
    """What to put before `program` so that it runs as the account and may use `folder`; empty when we are not root.

    The program dies with us: a change of user undoes what tools/process.py ties it with, so it is tied again here.
    Raises ToolError when nothing works.
    """
    return _prefix_for_root(program, folder) if is_root() else ()


def _account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError as error:
        raise ToolError(REFUSED) from error


@cache
def _prefix_for_root(program: Path, folder: Path) -> tuple[str, ...]:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ToolError(REFUSED)
    account = _account()
    become = (f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", "--pdeathsig=KILL")
    command = (setpriv, *become, *KEEP_POWER, "--")
    check = [*command, "test", "-x", str(program), "-a", "-w", str(folder)]
    if subprocess.run(check, capture_output=True, check=False).returncode != 0:
        raise ToolError(REFUSED)
    return command
