"""`Idempotency-Key`: a request that is sent again is answered again, and done once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import letters
from tests.e2e.support.shapes import assert_error


def test_the_same_request_again(own_headgate: Headgate) -> None:
    """The second answer is the first, secret included, says that it is a repetition, and made nothing."""
    repeat, body = letters(), {"name": "once"}

    first = own_headgate.post("/api/v1/keys", body, idempotency_key=repeat)
    second = own_headgate.post("/api/v1/keys", body, idempotency_key=repeat)

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert second.headers["location"] == first.headers["location"]
    assert second.headers["etag"] == first.headers["etag"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert second.headers["x-headgate-request-id"] != first.headers["x-headgate-request-id"]
    assert len(own_headgate.get("/api/v1/keys").json()["data"]) == 2
    assert own_headgate.as_key(second.json()["data"]["secret"]).chat("sim/chat").status_code == 200


def test_the_order_of_names_does_not_matter(headgate: Headgate) -> None:
    """A body that means the same is the same request."""
    repeat = letters()
    scopes = ["chat:write"]

    first = headgate.post("/api/v1/keys", {"name": "a", "scopes": scopes}, idempotency_key=repeat)
    second = headgate.post("/api/v1/keys", {"scopes": scopes, "name": "a"}, idempotency_key=repeat)

    assert second.json() == first.json()


def test_another_request(headgate: Headgate) -> None:
    """The same key with another body, or for another route or thing, is a 422."""
    repeat = letters()
    made = headgate.post("/api/v1/keys", {"name": "a"}, idempotency_key=repeat).json()["data"]

    for path, body in (("/api/v1/keys", {"name": "b"}), (f"/api/v1/keys/{made['id']}/actions/rotate", {"name": "a"})):
        answer = headgate.post(path, body if path.endswith("keys") else {}, idempotency_key=repeat)
        assert assert_error(answer, 422, openai=False)["code"] == "idempotency_key_reused"


def test_rotating_once(headgate: Headgate) -> None:
    """Rotation is a POST too: sent again it gives the same new key."""
    key, repeat = headgate.new_key(), letters()
    path = f"/api/v1/keys/{key.id}/actions/rotate"

    first = headgate.post(path, {"overlap_seconds": 0}, idempotency_key=repeat)
    second = headgate.post(path, {"overlap_seconds": 0}, idempotency_key=repeat)

    assert first.status_code == 201
    assert second.json() == first.json()


def test_at_the_same_time(own_headgate: Headgate) -> None:
    """Of requests that are sent at once one is done; the others get its answer or are told to wait."""
    repeat = letters()

    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda _: own_headgate.post("/api/v1/keys", {"name": "x"}, idempotency_key=repeat), range(6))
        )

    fresh = [answer for answer in answers if answer.status_code == 201 and "idempotency-replayed" not in answer.headers]
    assert len(fresh) == 1
    for answer in answers:
        if answer.status_code == 201:
            assert answer.json() == fresh[0].json()
        else:
            assert assert_error(answer, 409, openai=False)["code"] == "idempotency_in_progress"
    assert len(own_headgate.get("/api/v1/keys").json()["data"]) == 2


def test_an_error_may_be_tried_again(headgate: Headgate) -> None:
    """An error is not kept: the same key may be used once the cause is mended."""
    repeat = letters()

    for _ in range(2):
        answer = headgate.post(
            "/api/v1/keys", {"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, idempotency_key=repeat
        )
        assert_error(answer, 422, openai=False)
    assert headgate.post("/api/v1/keys", {"name": "x"}, idempotency_key=repeat).status_code == 201


def test_what_is_repeated_is_still_refused_to_others(headgate: Headgate) -> None:
    """A stored answer is no way around a scope or a revocation."""
    repeat = letters()
    maker = headgate.new_key(scopes=["keys:write"])
    own = headgate.as_key(maker.secret)
    assert own.post("/api/v1/keys", {"name": "x", "scopes": ["keys:write"]}, idempotency_key=repeat).status_code == 201

    weak = headgate.as_key(headgate.new_key(scopes=["keys:read"]).secret)
    body = {"name": "x", "scopes": ["keys:write"]}
    assert_error(weak.post("/api/v1/keys", body, idempotency_key=repeat), 403, openai=False)
    headgate.delete(f"/api/v1/keys/{maker.id}")
    assert_error(own.post("/api/v1/keys", body, idempotency_key=repeat), 401, openai=False)


def test_another_callers_answer(headgate: Headgate) -> None:
    """A key of the same organisation that may not make such a key does not get one by repeating who might."""
    repeat, body = letters(), {"name": "x", "scopes": ["usage:read"]}
    made = headgate.post("/api/v1/keys", body, idempotency_key=repeat)
    assert made.status_code == 201

    limited = headgate.as_key(headgate.new_key(scopes=["keys:write"]).secret)
    answer = limited.post("/api/v1/keys", body, idempotency_key=repeat)

    assert answer.status_code in {403, 409, 422}
    assert made.json()["data"]["secret"] not in answer.text


@pytest.mark.parametrize("value", ["", "x" * 256])
def test_a_key_that_cannot_be(headgate: Headgate, value: str) -> None:
    """An Idempotency-Key has 1 to 255 characters."""
    assert_error(headgate.post("/api/v1/keys", {"name": "x"}, idempotency_key=value), 400, openai=False)
