"""The typed client for browsers: its tests are in typescript_client.test.ts, and run here against a Headgate."""

from __future__ import annotations

import subprocess

from tests.e2e.support.headgate import Headgate
from tools import node
from tools.project import ROOT
from tools.stack import Stack


def test_the_typed_client(own_headgate: Headgate, stack: Stack) -> None:
    """What the types promise is what Headgate answers: keys, versions, usage, errors."""
    found = node.find()
    settings = {"HEADGATE_URL": stack.base_url, "HEADGATE_KEY": own_headgate.key}

    done = subprocess.run(
        [found.node, "--test", "--test-reporter=tap", "tests/e2e/typescript_client.test.ts"],
        cwd=ROOT,
        env={**node.environment(found), **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n# skipped 0\n" in done.stdout
    assert done.stdout.count("\nok ") >= 7, done.stdout
