"""Which store these tests run on: `make test` runs all of them on each."""

from __future__ import annotations

import os

from tools.state import store_named

STORE = store_named(os.environ.get("HEADGATE_TEST_STORE") or "d1")
