"""Limits that are exact: under many callers at once, over time, and whatever becomes of a call."""

from __future__ import annotations

import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.e2e.support.headgate import Headgate, Json, chat_body
from tests.e2e.support.log import line_of
from tests.e2e.support.names import sim_model
from tests.e2e.support.poll import until
from tests.e2e.support.raw import Connection
from tools.stack import Stack

pytestmark = [pytest.mark.alone, pytest.mark.once]

CALLERS = 100


def limit(headgate: Headgate, unit: str, most: int, **fields: object) -> str:
    scope = fields.pop("scope", {"type": "org"})
    answer = headgate.post("/api/v1/limits", {"scope": scope, "unit": unit, "limit": most, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])


def used(headgate: Headgate, limit_id: str) -> int:
    return int(headgate.get(f"/api/v1/limits/{limit_id}").json()["data"]["used"])


def burst(headgate: Headgate, number: int, model: str = "sim/chat") -> list[httpx.Response]:
    """Call a model so often, from many threads at once."""
    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(lambda _: headgate.chat(model), range(number)))


def statuses(answers: list[httpx.Response]) -> Json:
    return dict(Counter(str(answer.status_code) for answer in answers))


def without_wait(refused: httpx.Response) -> str:
    """What a refusal says, but for the seconds until the next try."""
    said, found = re.subn(r"try again in \d+ s", "", refused.text)
    assert found == 1, refused.text
    return said


def limit_that_outlasts(headgate: Headgate, calls: int) -> tuple[str, int]:
    """Set a limit of 30 whose window is longer than so many calls take, and see it let exactly 30 in."""
    for window in (3, 9, 27):
        limit_id = limit(headgate, "requests", 30, window_seconds=window)
        started = time.monotonic()
        answers, counted = burst(headgate, calls), used(headgate, limit_id)
        if time.monotonic() - started < window:
            assert (statuses(answers), counted) == ({"200": 30, "429": calls - 30}, 30)
            return limit_id, window
        assert headgate.delete(f"/api/v1/limits/{limit_id}").status_code == 204
    pytest.fail("this machine is too slow to tell")


def test_exactly_so_many_pass_and_again_after_the_window(own_headgate: Headgate) -> None:
    """200 at once: 30 pass. And 30 again when the window is over: it is so many seconds and a thousandth.

    A window shorter than the burst would rightly let in more, so on a slow machine a longer one is tried.
    """
    limit_id, window = limit_that_outlasts(own_headgate, 200)
    time.sleep(window * 1.001 + 0.1)
    assert used(own_headgate, limit_id) == 0
    assert statuses(burst(own_headgate, 60)) == {"200": 30, "429": 30}


def test_a_refusal_says_when_to_come_back_and_then_lets_in(own_headgate: Headgate) -> None:
    """In the words that SDKs know. What was refused has not reached the provider, and is no usage."""
    limit(own_headgate, "requests", 1, window_seconds=2)
    model = sim_model()
    assert own_headgate.chat(model).status_code == 200
    refused = own_headgate.chat(model)
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "requests_limit_reached"
    assert refused.headers["ratelimit-policy"] == '"requests";q=1;w=2'
    assert refused.headers["ratelimit"].startswith('"requests";r=0;t=')
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    wait = int(refused.headers["retry-after"])
    assert 1 <= wait <= 3
    time.sleep(wait)
    assert own_headgate.chat(model).status_code == 200
    assert len(own_headgate.records_when(2, model=model)) == 2


def test_an_answer_tells_what_is_left(own_headgate: Headgate) -> None:
    limit(own_headgate, "requests", 5, window_seconds=60)
    left = [own_headgate.chat("sim/chat").headers["x-ratelimit-remaining-requests"] for _ in range(3)]
    assert left == ["4", "3", "2"]


def test_a_burst_is_let_in_and_then_the_rate(own_headgate: Headgate) -> None:
    """GCRA: 10 at once, and then one each half second."""
    limit(own_headgate, "requests", 2, window_seconds=1, burst=10)
    started = time.monotonic()
    passed = statuses(burst(own_headgate, 40))["200"]
    took = time.monotonic() - started
    assert 10 <= passed <= 10 + 2 * took + 1
    time.sleep(1.1)
    again = statuses(burst(own_headgate, 20)).get("200", 0)
    assert again >= 2
    assert passed + again <= 10 + 2 * (time.monotonic() - started) + 1


def test_tokens_are_counted_as_they_were_used(own_headgate: Headgate) -> None:
    """At admission by an estimate, at the end by what the provider says."""
    limit_id = limit(own_headgate, "tokens", 100_000, window_seconds=600)
    usage = own_headgate.chat("sim/chat-chunks20", max_tokens=20).json()["usage"]
    until(lambda: used(own_headgate, limit_id) == usage["total_tokens"], "the correction")
    refused = own_headgate.chat("sim/chat-chunks100000", max_tokens=99_999)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "tokens_limit_reached")


def test_calls_at_once_are_limited_and_each_end_frees_a_place(own_headgate: Headgate) -> None:
    """However it ends: in order, refused by the provider, or left by its client."""
    limit_id = limit(own_headgate, "concurrent", 3)
    answers = burst(own_headgate, 20, "sim/chat-lat400")
    assert statuses(answers)["200"] >= 3
    assert {answer.status_code for answer in answers} == {200, 429}
    # A place is free when its call is settled, which happens behind the answer.
    until(lambda: used(own_headgate, limit_id) == 0, "the places to be free again")
    assert own_headgate.chat("sim/chat-err500").status_code == 500
    with Connection(own_headgate.base_url) as connection:
        connection.post("/v1/chat/completions", own_headgate.key, chat_body("sim/chat-stall3", stream=True))
        connection.head()
        assert used(own_headgate, limit_id) >= 1
        connection.leave("rst")
    until(lambda: used(own_headgate, limit_id) == 0, "all places to be free")


@pytest.mark.parametrize(("field", "ids"), [("user", ("ann", "bob")), ("safety_identifier", ("cy", "dee"))])
def test_each_end_user_has_a_limit_of_its_own(own_headgate: Headgate, field: str, ids: tuple[str, str]) -> None:
    limit(own_headgate, "requests", 2, window_seconds=60, scope={"type": "end_user", "id": "*"})
    for name in ids:
        found = [own_headgate.chat("sim/chat", **{field: name}).status_code for _ in range(3)]
        assert found == [200, 200, 429]
    assert own_headgate.chat("sim/chat").status_code == 200  # nobody's


def test_a_limit_of_one_key_or_model_is_no_others(own_headgate: Headgate) -> None:
    """And one refusal counts nowhere: the organisation's own limit has room for those that pass."""
    key, model = own_headgate.new_key(), sim_model()
    org = limit(own_headgate, "requests", 100, window_seconds=600)
    limit(own_headgate, "requests", 1, window_seconds=600, scope={"type": "key", "id": key.id})
    limit(own_headgate, "requests", 1, window_seconds=600, scope={"type": "model", "id": model})
    one = own_headgate.as_key(key.secret)
    assert [one.chat("sim/chat").status_code for _ in range(3)] == [200, 429, 429]
    assert [own_headgate.chat(model).status_code for _ in range(2)] == [200, 429]
    assert own_headgate.chat("sim/chat").status_code == 200
    assert used(own_headgate, org) == 3


def test_a_deleted_limit_limits_nobody_from_the_answer_on(own_headgate: Headgate) -> None:
    limit_id = limit(own_headgate, "requests", 1, window_seconds=600)
    assert [own_headgate.chat("sim/chat").status_code for _ in range(2)] == [200, 429]
    assert own_headgate.delete(f"/api/v1/limits/{limit_id}").status_code == 204
    assert own_headgate.chat("sim/chat").status_code == 200


def test_a_refusal_is_remembered_until_somebody_may_pass(own_headgate: Headgate, stack: Stack) -> None:
    """The gate is not asked again while it could only say no; what the client is told is the same."""
    answer = own_headgate.post(
        "/api/v1/limits", {"scope": {"type": "org"}, "unit": "requests", "limit": 2, "window_seconds": 600}
    )
    path, etag = f"/api/v1/limits/{answer.json()['data']['id']}", answer.headers["etag"]
    assert statuses(burst(own_headgate, 2)) == {"200": 2}
    first, again = own_headgate.chat("sim/chat"), own_headgate.chat("sim/embed")
    assert "denial" not in line_of(stack, first)
    assert line_of(stack, again)["denial"] == "remembered"
    assert without_wait(again) == without_wait(first)  # a second may end between the two
    for name in ("ratelimit-policy", "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests"):
        assert again.headers[name] == first.headers[name]
    assert int(first.headers["retry-after"]) - 2 <= int(again.headers["retry-after"]) <= 601

    raised = own_headgate.patch(path, {"limit": 3}, if_match=etag)
    assert raised.status_code == 200, raised.text
    assert statuses(burst(own_headgate, 5)) == {"200": 1, "429": 4}


def test_a_short_refusal_ends_when_it_says(own_headgate: Headgate) -> None:
    """What is remembered never lasts longer than the limit itself: who comes as often as it may is never refused."""
    limit(own_headgate, "requests", 1, window_seconds=1)
    assert own_headgate.chat("sim/chat").status_code == 200
    for _ in range(4):
        assert own_headgate.chat("sim/chat").status_code == 429
        time.sleep(1.002)
        assert own_headgate.chat("sim/chat").status_code == 200
