"""A flood of wrong keys: it costs next to nothing, and nobody with a right key feels it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import httpx
import pytest

from lib.defence.shield import BURST, RATE
from lib.secrets.api_keys import new_key
from tests.e2e.support.headgate import Headgate
from tests.e2e.support.log import lines
from tests.e2e.support.names import sim_model
from tests.e2e.support.poll import until
from tests.e2e.support.shapes import assert_error
from tests.e2e.support.stacks import Stacks
from tests.e2e.support.store import gates
from tools.stack import Stack

pytestmark = [pytest.mark.alone, pytest.mark.once]

REQUESTS = 2_000
CALLERS = 32
# Cloudflare writes this header itself. Here nobody does, and a client may: so a test can come from elsewhere.
ELSEWHERE = {"cf-connecting-ip": "198.51.100.7"}


@pytest.fixture(scope="module")
def flooded(stacks: Stacks) -> Iterator[Stack]:
    """A Headgate of this module's own: the others' tests come from the same address."""
    with stacks.new("flooded") as stack:
        yield stack


@pytest.fixture(scope="module")
def own(flooded: Stack) -> Iterator[Headgate]:
    with httpx.Client(timeout=60, limits=httpx.Limits(max_connections=100)) as http:
        yield Headgate(http, flooded.base_url, flooded.api_key)


def test_a_flood_of_wrong_keys(flooded: Stack, own: Headgate) -> None:
    """2,000 keys that have the right shape: some tens of reads in all, no gate, and each is refused.

    Meanwhile a right key from the same address is served every time, on both kinds of route.
    """
    model, over = sim_model(), Event()
    late, elsewhere = own.new_key(), own.new_key()
    served = [own.chat(model).status_code]
    gates_before = gates(flooded)

    def wrong(number: int) -> httpx.Response:
        caller = own.as_key(new_key())
        return caller.chat("sim/chat") if number % 2 else caller.get("/api/v1/keys")

    def right() -> None:
        while not over.is_set():
            served.append(own.chat(model).status_code)
            served.append(own.get("/api/v1/limits").status_code)

    started = time.monotonic()
    with ThreadPoolExecutor(CALLERS) as pool:
        serving = pool.submit(right)
        answers = list(pool.map(wrong, range(REQUESTS)))
        took = time.monotonic() - started
        over.set()
        serving.result()

    assert {answer.status_code for answer in answers} == {401, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["error"]["code"] == "too_many_wrong_keys"
    assert refused.headers["retry-after"] == "1"
    assert len(served) > 10
    assert set(served) == {200}

    ids = {answer.headers["x-headgate-request-id"] for answer in answers}
    until(lambda: len(ids & {line.get("request_id") for line in lines(flooded)}) == REQUESTS, "all lines")
    theirs = [line for line in lines(flooded) if line.get("request_id") in ids]
    reads = sum(line["db_queries"] for line in theirs)
    assert BURST <= reads <= BURST + RATE * (took + 2)
    assert not [line for line in theirs if "org_id" in line]
    assert gates(flooded) == gates_before
    assert own.records_when((len(served) + 1) // 2, model=model)

    # A right key that this isolate does not know yet waits for its turn as the answer says; from elsewhere it need not.
    assert own.as_key(elsewhere.secret).call("GET", "/v1/models", headers=ELSEWHERE).status_code == 200
    until(lambda: own.as_key(late.secret).get("/v1/models").status_code == 200, "the unknown right key", seconds=5)


def test_the_same_wrong_key_again_and_again(own: Headgate, flooded: Stack) -> None:
    """It is looked up once in a while, also when many come at once."""
    wrong = own.as_key(new_key())
    headers = {"cf-connecting-ip": "2001:db8:7::1"}
    with ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(lambda _: wrong.call("GET", "/api/v1/keys", headers=headers), range(200)))
    for answer in answers:
        assert_error(answer, 401, openai=False)
    ids = {answer.headers["x-headgate-request-id"] for answer in answers}
    until(lambda: len(ids & {line.get("request_id") for line in lines(flooded)}) == len(answers), "all lines")
    assert sum(line["db_queries"] for line in lines(flooded) if line.get("request_id") in ids) <= 3
