"""Whether the time of an answer tells who has an account: 60 addresses that somebody has against 60 that nobody has.

Against a Headgate of `make dev`, which believes a client's address: `python -m bench.answer_times
http://127.0.0.1:8787`. It signs up 60 people, then asks for each kind in turn, and prints the quartiles in ms. It ends
with 1 where they do not overlap.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Callable
from statistics import quantiles

import httpx

TIMES = 60
USERS = "/api/v1/users"
PAUSE_SECONDS = 0.15  # what is done behind one answer is not to slow the next one down
PASSWORD = secrets.token_urlsafe(12)

Body = Callable[[str], dict[str, str]]


def form(email: str) -> dict[str, str]:
    return {"email": email, "password": PASSWORD, "name": "Somebody"}


def address() -> str:
    return f"{secrets.token_hex(8)}@wonder.example"


def network() -> dict[str, str]:
    """Return the header of a client from a network of its own: else so many mails would be refused."""
    return {"cf-connecting-ip": f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.1"}


def milliseconds(client: httpx.Client, path: str, body: dict[str, str]) -> float:
    """Return how long the answer took."""
    started = time.perf_counter()
    answer = client.post(USERS + path, json=body, headers=network())
    taken = (time.perf_counter() - started) * 1000
    answer.raise_for_status()
    time.sleep(PAUSE_SECONDS)
    return taken


def alike(client: httpx.Client, name: str, path: str, body: Body, known: list[str]) -> bool:
    """Ask for known and unknown addresses in turn; tell whether their quartiles overlap."""
    seen: dict[str, list[float]] = {"known": [], "unknown": []}
    for turn, email in enumerate(known):
        pair = [("known", email), ("unknown", address())]
        for kind, asked in pair[:: 1 if turn % 2 else -1]:
            seen[kind].append(milliseconds(client, path, body(asked)))
    first, second = (quantiles(times) for times in seen.values())
    told = ", ".join(f"{kind} {' '.join(f'{part:.1f}' for part in quantiles(times))}" for kind, times in seen.items())
    overlap = first[0] <= second[2] and second[0] <= first[2]
    print(f"{name}: {told} ms{'' if overlap else ': they lie apart'}")
    return overlap


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.answer_times", description=__doc__)
    parser.add_argument("base_url")
    with httpx.Client(base_url=parser.parse_args().base_url, timeout=30) as client:
        known = [address() for _ in range(TIMES)]
        for email in known:
            milliseconds(client, "", form(email))
        time.sleep(2)
        reset = alike(
            client, "a new password", "/actions/request_password_reset", lambda email: {"email": email}, known
        )
        return 0 if alike(client, "signing up", "", form, known) and reset else 1


if __name__ == "__main__":
    sys.exit(main())
