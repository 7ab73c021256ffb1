"""The walk as a person, in the Chromium of this machine: its steps are in browser_walk.test.ts, and run here."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.e2e.support.headgate import Headgate
from tools import node
from tools.project import ROOT

CHROMIUM = shutil.which("chromium")


@pytest.mark.once  # tests/contract/test_plans_postgres.py has PostgreSQL run every statement
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)")
def test_the_walk(headgate: Headgate) -> None:
    """Sign up, confirm from the outbox, sign in, make a key, call the gateway, sign out everywhere, be refused.

    And a page of another origin, or of another site, can do nothing with the session meanwhile. The page that accepts
    an invitation asks for a code where the account has them, and leaves nobody signed in. The page of the API is
    searched by keyboard, and sends what is tried with the typed key, without the session.
    """
    found = node.find()
    settings = {"HEADGATE_URL": headgate.base_url, "CHROMIUM": str(CHROMIUM)}

    done = subprocess.run(
        [found.node, "--test", "--test-reporter=tap", "tests/e2e/browser_walk.test.ts"],
        cwd=ROOT,
        env={**node.environment(found), **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n# skipped 0\n" in done.stdout
    assert done.stdout.count("\nok ") >= 12, done.stdout
