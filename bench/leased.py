"""How much a call costs whose gate is far away, and how much where gates near the callers decide under leases.

Usage: PYTHONPATH=src .venv/bin/python -m bench.leased

Runs Headgate as in production, with the store and each organisation's gate 150 ms away and the gates of regions near;
and, to compare with, with all of them near. One call follows another, against the simulated provider, which answers at
once. docs/scaling.md tells how it works.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx

from tools.production.rules import DELAY_MS
from tools.stack import Stack

CALLS = 200
WARM = 12
PLACE = json.dumps({"continent": "EU", "country": "DE", "longitude": "8.7"})
CHAT = {"model": "sim/chat", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 16}
BUDGET = {"scope": {"type": "org"}, "window": "total", "limit_nano_usd": 10**12}
LIMIT = {"scope": {"type": "org"}, "unit": "requests", "limit": 100_000, "window_seconds": 60}
# Where gates are, in ms there and back, and what is measured there.
CASES = ((0, ("exact",)), (DELAY_MS.figure, ("exact", "leased")))


def times_of(call: Callable[[], httpx.Response]) -> list[float]:
    """Return how long each call takes, once what is kept in memory is there."""
    times = []
    for _ in range(WARM + CALLS):
        began = time.perf_counter()
        answer = call()
        times.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise SystemExit(f"{answer.status_code}: {answer.text}")
    return times[WARM:]


def measure(stack: Stack, http: httpx.Client, delay_ms: int, ways: Sequence[str]) -> None:
    """Print the rows of one place."""
    headers = {"authorization": f"Bearer {stack.api_key}", "MF-CF-Blob": PLACE}
    http.post(f"{stack.base_url}/api/v1/budgets", json=BUDGET, headers=headers).raise_for_status()
    http.post(f"{stack.base_url}/api/v1/limits", json=LIMIT, headers=headers).raise_for_status()
    for way in ways:
        changes = {**headers, "if-match": "*"}
        http.patch(f"{stack.base_url}/api/v1/orgs/current", json={"admission": way}, headers=changes).raise_for_status()
        times = times_of(lambda: http.post(f"{stack.base_url}/v1/chat/completions", json=CHAT, headers=headers))
        far = sum(1 for one in times if one >= DELAY_MS.figure)
        print(f"| {way} | {delay_ms} | {statistics.median(times):.1f} | {far} of {len(times)} |", flush=True)


def run() -> None:
    """Print the table."""
    formatter = RawDescriptionHelpFormatter
    ArgumentParser(prog="python -m bench.leased", description=__doc__, formatter_class=formatter).parse_args()
    os.environ |= {"PRODUCTION": "1", "PRODUCTION_RESET_SECONDS": "0", "PRODUCTION_OVERLOAD_SECONDS": "0"}
    print(
        "| admission | the gate is away, ms | a call, ms, median | calls of 150 ms or more |\n| --- | --: | --: | --: |"
    )
    for delay_ms, ways in CASES:
        os.environ["PRODUCTION_DELAY_MS"] = str(delay_ms)
        with tempfile.TemporaryDirectory() as folder, Stack(Path(folder)) as stack, httpx.Client(timeout=60) as http:
            measure(stack, http, delay_ms, ways)


if __name__ == "__main__":
    run()
