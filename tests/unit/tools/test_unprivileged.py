"""PostgreSQL refuses to run as root. What runs for root instead may still use root's own folders, and nothing more."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

from tools import unprivileged
from tools.project import ToolError

as_root = pytest.mark.skipif(not unprivileged.is_root(), reason="only root can become another user")
DAC_OVERRIDE = 1 << 1
CAT = Path("/bin/cat")


@pytest.fixture
def fresh() -> None:
    """No answer from before."""
    unprivileged._prefix_for_root.cache_clear()


def test_who_is_not_root_runs_programs_as_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    before = tmp_path.stat().st_uid

    assert unprivileged.prefix(CAT, tmp_path) == ()
    unprivileged.give(tmp_path)

    assert tmp_path.stat().st_uid == before


@as_root
@pytest.mark.usefixtures("fresh")
def test_for_root_it_runs_as_another_user_below_folders_that_only_root_may_enter(tmp_path: Path) -> None:
    folder = tmp_path / "private" / "data"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o700)
    unprivileged.give(folder)
    (folder / "note").write_text("seen")

    def run(*command: str) -> str:
        prefix = unprivileged.prefix(CAT, folder)
        return subprocess.run([*prefix, *command], capture_output=True, text=True, check=True).stdout

    status = dict(line.split(":", 1) for line in run("cat", "/proc/self/status").splitlines())
    assert {int(number) for number in status["Uid"].split()} == {pwd.getpwnam("nobody").pw_uid}
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {DAC_OVERRIDE}
    assert run("cat", str(folder / "note")) == "seen"
    assert run("sh", "-c", f"test -r {folder}/note && echo by access too") == "by access too\n"


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("missing", ["setpriv", "the right to do so", "the account"])
def test_where_that_is_not_possible_it_says_what_is(
    missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    if missing == "setpriv":
        monkeypatch.setattr("shutil.which", lambda _name: None)
    elif missing == "the account":
        monkeypatch.setattr(unprivileged, "ACCOUNT", "no-such-account")
    else:
        refusing = shutil.which("false")
        monkeypatch.setattr("shutil.which", lambda _name: refusing)

    with pytest.raises(ToolError, match="Run this as another user than root"):
        unprivileged.prefix(CAT, tmp_path)
