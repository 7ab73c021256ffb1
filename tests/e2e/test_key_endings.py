"""How keys end: revoked, expired, rotated. From the answer on, a key that has ended is refused everywhere."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.support.headgate import Headgate, Key
from tests.e2e.support.names import sim_model
from tests.e2e.support.poll import until
from tests.e2e.support.shapes import assert_error
from tests.e2e.support.sim import SimulatedProvider
from tests.e2e.support.sse import DONE, payloads

EVERYTHING = ["chat:write", "embeddings:write", "models:read", "models:write", "keys:read", "keys:write", "usage:read"]


def rotate(headgate: Headgate, key: Key, **fields: int) -> Key:
    answer = headgate.post(f"/api/v1/keys/{key.id}/actions/rotate", dict(fields))
    assert answer.status_code == 201, answer.text
    data = answer.json()["data"]
    return Key(data["id"], data["secret"], answer.headers["etag"], data)


def assert_refused(own: Headgate) -> None:
    """The key opens nothing any more: no model, no list, no management."""
    assert_error(own.chat("sim/chat"), 401, openai=True)
    assert_error(own.chat("sim/chat", stream=True), 401, openai=True)
    assert_error(own.post("/v1/embeddings", {"model": "sim/embed", "input": "x"}), 401, openai=True)
    assert_error(own.get("/v1/models"), 401, openai=True)
    for path in ("/api/v1/keys", "/api/v1/models", "/api/v1/usage"):
        assert_error(own.get(path), 401, openai=False)


def test_a_revoked_key_is_refused_at_once(headgate: Headgate) -> None:
    """Revoking takes effect with its answer, for a key that was used a moment before, on every route."""
    for _ in range(5):
        key = headgate.new_key(scopes=EVERYTHING)
        own = headgate.as_key(key.secret)
        assert own.chat("sim/chat").status_code == 200
        assert own.get("/api/v1/keys").status_code == 200

        assert headgate.delete(f"/api/v1/keys/{key.id}").status_code == 204

        assert_refused(own)


def test_revoking_under_load(headgate: Headgate) -> None:
    """While many requests use a key, none that begins after the revocation's answer passes."""
    key = headgate.new_key()
    own = headgate.as_key(key.secret)
    assert own.chat("sim/chat").status_code == 200
    revoked = threading.Event()

    def use(_: int) -> list[tuple[bool, int]]:
        seen: list[tuple[bool, int]] = []
        while sum(after for after, _ in seen) < 3:
            seen.append((revoked.is_set(), own.chat("sim/chat-chunks1").status_code))
        return seen

    with ThreadPoolExecutor(8) as pool:
        users = [pool.submit(use, index) for index in range(8)]
        answer = headgate.delete(f"/api/v1/keys/{key.id}")
        revoked.set()
        assert answer.status_code == 204
        seen = [item for user in users for item in user.result()]

    assert {status for after, status in seen if after} == {401}
    assert {status for _, status in seen} <= {200, 401}


def test_a_stream_under_way_goes_on(headgate: Headgate) -> None:
    """Revoking refuses new requests; an answer that has begun is finished and charged."""
    key = headgate.new_key()
    model = sim_model("chunks20-gap50")
    client = headgate.as_key(key.secret).http
    with client.stream(
        "POST",
        f"{headgate.base_url}/v1/chat/completions",
        json={"model": model, "messages": [{"role": "user", "content": "x"}], "stream": True},
        headers={"authorization": f"Bearer {key.secret}"},
    ) as answer:
        assert answer.status_code == 200
        assert headgate.delete(f"/api/v1/keys/{key.id}").status_code == 204
        assert payloads(answer.read())[-1] == DONE
    assert headgate.record(model)["cause"] == "finished"


def test_revoking_twice(headgate: Headgate) -> None:
    """Revoking is for good, and doing it again is harmless: the first date stays."""
    key = headgate.new_key()
    path = f"/api/v1/keys/{key.id}"

    assert headgate.delete(path).status_code == 204
    first = headgate.get(path).json()["data"]["revoked_at"]
    assert first
    assert headgate.delete(path).status_code == 204
    assert headgate.get(path).json()["data"]["revoked_at"] == first
    assert_error(headgate.patch(path, {"name": "x"}, if_match="*"), 409, openai=False)
    assert_error(headgate.post(f"{path}/actions/rotate", {}), 409, openai=False)


def test_an_expired_key_is_refused(headgate: Headgate) -> None:
    """A key ends when it says, although it is cached where it is used."""
    ends = datetime.now(UTC) + timedelta(seconds=3)
    key = headgate.new_key(scopes=EVERYTHING, expires_at=ends.isoformat())
    own = headgate.as_key(key.secret)
    assert own.chat("sim/chat").status_code == 200

    until(lambda: own.chat("sim/chat").status_code == 401, "the key ends")

    assert datetime.now(UTC) >= ends
    assert_refused(own)


def test_rotating_with_an_overlap(headgate: Headgate) -> None:
    """During the overlap both keys work; the old one names its successor and has an end."""
    key = headgate.new_key(scopes=["chat:write"])

    new = rotate(headgate, key, overlap_seconds=3600)

    assert new.secret != key.secret
    assert (new.data["name"], new.data["scopes"]) == (key.data["name"], ["chat:write"])
    for secret in (key.secret, new.secret):
        assert headgate.as_key(secret).chat("sim/chat").status_code == 200
    old = headgate.get(f"/api/v1/keys/{key.id}").json()["data"]
    assert old["replaced_by_key_id"] == new.id
    left = datetime.fromisoformat(old["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=55) < left <= timedelta(hours=1)


def test_rotating_at_once(headgate: Headgate) -> None:
    """Without an overlap the old key is refused from the answer on, although it was used a moment before."""
    key = headgate.new_key(scopes=EVERYTHING)
    assert headgate.as_key(key.secret).chat("sim/chat").status_code == 200

    new = rotate(headgate, key, overlap_seconds=0)

    assert_refused(headgate.as_key(key.secret))
    assert headgate.as_key(new.secret).chat("sim/chat").status_code == 200


def test_the_end_of_an_overlap(headgate: Headgate) -> None:
    """The old key works until the overlap is over, and not longer."""
    key = headgate.new_key()
    own = headgate.as_key(key.secret)

    rotate(headgate, key, overlap_seconds=2)

    assert own.chat("sim/chat").status_code == 200
    until(lambda: own.chat("sim/chat").status_code == 401, "the overlap ends")


def test_an_overlap_never_lengthens_a_key(headgate: Headgate) -> None:
    """A key that ends earlier than the overlap keeps its own end."""
    ends = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    key = headgate.new_key(expires_at=ends)

    rotate(headgate, key)

    old = headgate.get(f"/api/v1/keys/{key.id}").json()["data"]
    assert old["expires_at"] == key.data["expires_at"]


@pytest.mark.parametrize("overlap", [-1, 1.5, "x", 30 * 86_400 + 1, None])
def test_an_overlap_that_cannot_be(headgate: Headgate, overlap: object) -> None:
    """An overlap is up to thirty days of whole seconds."""
    key = headgate.new_key()

    answer = headgate.post(f"/api/v1/keys/{key.id}/actions/rotate", {"overlap_seconds": overlap})

    assert_error(answer, 400, openai=False)


def test_rotating_twice_at_once(headgate: Headgate) -> None:
    """Of two rotations at the same time, each either makes a key or is told of the conflict; no key is half made."""
    key = headgate.new_key()
    path = f"/api/v1/keys/{key.id}/actions/rotate"

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: headgate.post(path, {"overlap_seconds": 60}), range(4)))

    made = [answer.json()["data"] for answer in answers if answer.status_code == 201]
    assert made
    assert {answer.status_code for answer in answers} <= {201, 409}
    for new in made:
        assert headgate.as_key(new["secret"]).chat("sim/chat").status_code == 200
    old = headgate.get(f"/api/v1/keys/{key.id}").json()["data"]
    assert old["replaced_by_key_id"] in {new["id"] for new in made}


def test_a_refused_key_reaches_no_provider(headgate: Headgate, sim: SimulatedProvider) -> None:
    """A request with an ended key costs nothing."""
    key, model = headgate.new_key(), sim_model()
    headgate.delete(f"/api/v1/keys/{key.id}")

    headgate.as_key(key.secret).chat(model)

    assert sim.of(model)["requests"] == 0
