"""Which store these tests run on: `make test` runs all of them on each. And whether as in production."""

from __future__ import annotations

import os

from tools.production_project import is_production
from tools.state import store_named

STORE = store_named(os.environ.get("HEADGATE_TEST_STORE") or "d1")
# Alarms are late by a minute there, and two may follow each other; messages are late by seconds.
PATIENCE = 12 if is_production(os.environ) else 1
