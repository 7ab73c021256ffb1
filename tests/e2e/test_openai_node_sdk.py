"""OpenAI's own Node SDK: its tests are in openai_sdk.test.ts, and run here against the shared Headgate."""

from __future__ import annotations

import subprocess

from tests.e2e.support.headgate import Headgate
from tools import node
from tools.project import ROOT
from tools.stack import Stack


def test_the_node_sdk(headgate: Headgate, stack: Stack) -> None:
    """The Node SDK streams, calls tools, lists models, embeds, and raises its proper classes."""
    found = node.find()
    settings = {"HEADGATE_URL": stack.base_url, "HEADGATE_KEY": headgate.key, "SIM_URL": stack.sim_url}

    done = subprocess.run(
        [found.node, "--test", "--test-reporter=tap", "tests/e2e/openai_sdk.test.ts"],
        cwd=ROOT,
        env={**node.environment(found), **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n# skipped 0\n" in done.stdout
    assert done.stdout.count("\nok ") > 20, done.stdout
