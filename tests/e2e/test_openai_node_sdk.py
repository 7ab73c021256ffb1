"""OpenAI's own Node SDK: its tests are in openai_sdk*.test.ts, and run here against the shared Headgate."""

from __future__ import annotations

import subprocess

import pytest

from tests.e2e.support.headgate import Headgate
from tools import node
from tools.project import ROOT
from tools.stack import Stack

pytestmark = pytest.mark.once

PAGE = "https://app.example"


@pytest.mark.parametrize(
    ("file", "least"),
    [
        ("openai_sdk", 21),  # streams, calls tools, lists models, embeds, and raises its proper classes
        ("openai_sdk_in_a_page", 2),  # all that it sends from a page is allowed, and each answer can be read there
    ],
)
def test_the_node_sdk(headgate: Headgate, stack: Stack, file: str, least: int) -> None:
    """All tests of the file pass."""
    found = node.find()
    minted = {"end_user": "ann", "minutes": 5, "budget_nano_usd": 10**9, "models": ["sim/chat"], "origins": [PAGE]}
    browser_key = headgate.post("/api/v1/keys/actions/mint", minted).json()["data"]["secret"]
    settings = {
        "HEADGATE_URL": stack.base_url,
        "HEADGATE_KEY": headgate.key,
        "SIM_URL": stack.sim_url,
        "BROWSER_KEY": browser_key,
        "PAGE": PAGE,
    }

    done = subprocess.run(
        [found.node, "--test", "--test-reporter=tap", f"tests/e2e/{file}.test.ts"],
        cwd=ROOT,
        env={**node.environment(found), **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n# skipped 0\n" in done.stdout
    assert done.stdout.count("\nok ") >= least, done.stdout
