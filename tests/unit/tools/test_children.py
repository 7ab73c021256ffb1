from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable

import pytest

from tools import children as module
from tools.children import children, command_name


@pytest.fixture(params=["/proc", "ps"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of looking, where the machine has both."""
    there = module.HAS_PROC if request.param == "/proc" else shutil.which("ps")
    if not there:
        pytest.skip(f"no {request.param} here")
    monkeypatch.setattr(module, "HAS_PROC", request.param == "/proc")
    return str(request.param)


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.usefixtures("way")
def test_a_child_is_found_by_its_parent_and_its_name() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            wait_for(lambda: command_name(child.pid) == "sleep")
            assert child.pid in children(os.getpid())
            assert children(child.pid) == []
        finally:
            child.kill()


@pytest.mark.usefixtures("way")
def test_one_that_has_ended_is_not_there_even_before_its_parent_notices() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        child.kill()
        wait_for(lambda: command_name(child.pid) is None)
        assert child.returncode is None  # nobody has waited for it
        assert child.pid not in children(os.getpid())
