"""`make dev` itself, started and ended as a person or a program would."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.support.chosen import STORE
from tools.ports import HOST, free_port
from tools.project import ROOT

READY_SECONDS = 150


class Dev:
    """One `make dev` over a folder of its own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.log = folder / "make.log"
        environment = {
            **os.environ,
            "PORT": str(self.port),
            "STATE": str(folder / "state"),
            "STORE": STORE,
            "CREDENTIALS": str(folder / "credentials.json"),
            **settings,
        }
        with self.log.open("w") as log:
            command = ["make", "--silent", "dev", f"PYTHON={sys.executable}"]
            self.make = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def wait(self) -> dict[str, Any]:
        """Return the credentials once it says that it is ready."""
        deadline = time.monotonic() + READY_SECONDS
        while f"Ready on http://{HOST}:{self.port}\n" not in self.log.read_text():
            assert self.make.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)
        return dict(json.loads((self.folder / "credentials.json").read_text()))

    def command_lines(self) -> list[str]:
        """The command lines of the programs that run for it: each that names its folder."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                text = path.read_text(errors="replace").replace("\0", " ")
            except OSError:  # it has just ended
                continue
            if str(self.folder / "state") in text:
                found.append(text)
        return found

    def parent_of_all(self) -> int:
        """The process id of tools/dev.py, which make runs."""
        children = Path(f"/proc/{self.make.pid}/task/{self.make.pid}/children").read_text().split()
        return int(children[0])

    def wait_until_gone(self) -> None:
        deadline = time.monotonic() + 15
        while self.command_lines():
            assert time.monotonic() < deadline, self.command_lines()
            time.sleep(0.05)


def status(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return int(answer.status)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_starts_ends_with_all_it_started_and_keeps_its_data(tmp_path: Path) -> None:
    env_file = tmp_path / "extra.env"
    env_file.write_text("OPENAI_API_KEY=sk-not-for-other-eyes\n")

    first = Dev(tmp_path, ENV_FILE=str(env_file))
    credentials = first.wait()
    assert set(credentials) == {"base_url", "api_key", "admin_email", "admin_password", "org_id", "sim_url"}
    assert status(credentials["base_url"] + "/readyz") == 200
    assert stat.S_IMODE((tmp_path / "credentials.json").stat().st_mode) == 0o600
    secret = (tmp_path / "state" / "secrets.env").read_text().partition("HEADGATE_SECRET=")[2].split()[0]
    running = "\n".join(first.command_lines())
    assert "wrangler" in running
    assert secret not in running
    assert "sk-not-for-other-eyes" not in running

    first.make.send_signal(signal.SIGTERM)
    first.make.wait(20)
    first.wait_until_gone()

    second = Dev(tmp_path)
    again = second.wait()
    kept = ("api_key", "admin_email", "admin_password", "org_id")
    assert [again[name] for name in kept] == [credentials[name] for name in kept]

    os.kill(second.parent_of_all(), signal.SIGKILL)  # it cannot tidy up: the kernel must
    second.make.wait(20)
    second.wait_until_gone()


def test_a_missing_env_file_is_said_at_once(tmp_path: Path) -> None:
    dev = Dev(tmp_path, ENV_FILE=str(tmp_path / "absent.env"))

    assert dev.make.wait(30) != 0
    assert "absent.env cannot be read" in dev.log.read_text()
    assert not (tmp_path / "state").exists()
