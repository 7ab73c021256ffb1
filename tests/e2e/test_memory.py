"""What one isolate holds of its requests: over its budget they are refused, and every way out gives it back."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import openai
import pytest

from lib.secrets import api_keys
from tests.e2e.support.headgate import Headgate, chat_body
from tests.e2e.support.names import sim_model
from tests.e2e.support.poll import until
from tests.e2e.support.raw import Connection, post_bytes
from tests.e2e.support.sim import SimulatedProvider
from tools.stack import Stack

MIB = 1024 * 1024
PATH = "/v1/chat/completions"
LARGE = "x" * (8 * MIB - 1000)
TOO_LARGE = "x" * (20 * MIB)


def say(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def by_httpx(url: str, key: str, text: str) -> tuple[int, str]:
    body = json.dumps(chat_body("m", messages=say(text)))
    answer = httpx.post(url + PATH, content=body, headers=headers(key), timeout=60)
    return answer.status_code, answer.json()["error"]["code"]


def by_httpx_in_pieces(url: str, key: str, text: str) -> tuple[int, str]:
    body = json.dumps(chat_body("m", messages=say(text))).encode()
    pieces = (body[place : place + 100_000] for place in range(0, len(body), 100_000))
    answer = httpx.post(url + PATH, content=pieces, headers=headers(key), timeout=60)
    return answer.status_code, answer.json()["error"]["code"]


def by_urllib(url: str, key: str, text: str) -> tuple[int, str]:
    body = json.dumps(chat_body("m", messages=say(text))).encode()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(url + PATH, body, headers(key)), timeout=60)
    return refused.value.code, json.loads(refused.value.read())["error"]["code"]


def by_openai(url: str, key: str, text: str) -> tuple[int, str]:
    with (
        pytest.raises(openai.APIStatusError) as refused,
        openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client,
    ):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
    return refused.value.status_code, str(refused.value.code)


def headers(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}", "content-type": "application/json"}


@pytest.mark.parametrize("client", [by_httpx, by_httpx_in_pieces, by_urllib, by_openai])
def test_a_body_that_is_refused_is_answered_so_that_its_client_reads_it(
    stack: Stack, client: Callable[[str, str, str], tuple[int, str]]
) -> None:
    """Sent before anything is read, straight to the Worker, where no edge reads the rest: too large, or nobody's."""
    assert client(stack.worker_url, stack.api_key, TOO_LARGE) == (413, "payload_too_large")
    assert client(stack.worker_url, api_keys.new_key(), LARGE) == (401, "invalid_api_key")


def test_what_there_is_no_room_for_is_refused(headgate: Headgate) -> None:
    """Of many large bodies at once some wait at their provider; the others are 503, and say when to come again."""
    model = sim_model("lat3000")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: headgate.chat(model, messages=say(LARGE)), range(8)))

    refused = [answer for answer in answers if answer.status_code == 503]
    assert {answer.status_code for answer in answers} == {200, 503}
    assert all(answer.json()["error"]["code"] == "overloaded" for answer in refused)
    assert all(answer.headers["retry-after"] == "1" for answer in refused)
    assert headgate.chat(sim_model(), messages=say(LARGE)).status_code == 200, "those that are over hold nothing"


@pytest.mark.parametrize("sent", [0.2, 1.0], ids=["while it sends", "while it waits"])
def test_clients_that_leave_give_back_what_they_held(headgate: Headgate, sim: SimulatedProvider, sent: float) -> None:
    """Several times as much as there is room for, one after another."""

    def asked(model: str) -> bool:
        return bool(sim.of(model)["requests"])

    for turn in range(6):
        model = sim_model("lat60000")
        body = chat_body(model, messages=say(LARGE), stream=bool(turn % 2))
        with Connection(headgate.base_url) as connection:
            whole = post_bytes(PATH, connection.host, headgate.key, body)
            connection.send(whole[: int(len(whole) * sent)])
            if sent == 1.0:
                until(partial(asked, model), "the provider is asked")
            connection.leave("rst")
    until(lambda: headgate.chat(sim_model(), messages=say(LARGE)).status_code == 200, "there is room again")
