"""API keys as their organisation manages them: made, listed, read, changed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.poll import until
from tests.e2e.support.shapes import assert_error

UNKNOWN_ID = "01900000-0000-7000-8000-000000000000"


def in_future(**more: float) -> str:
    return (datetime.now(UTC) + timedelta(**more)).isoformat()


def test_making_a_key(headgate: Headgate) -> None:
    """A new key is told once, with its place; afterwards only its start can be read."""
    answer = headgate.post("/api/v1/keys", {"name": "  Browser  "})

    assert answer.status_code == 201
    data = answer.json()["data"]
    assert answer.headers["location"] == f"/api/v1/keys/{data['id']}"
    assert data["name"] == "Browser"
    assert data["secret"].startswith(data["prefix"])
    assert data["prefix"].startswith("hg_")
    assert data["last_used_at"] is data["expires_at"] is data["revoked_at"] is None

    shown = headgate.get(f"/api/v1/keys/{data['id']}")
    assert shown.json()["data"] == {name: value for name, value in data.items() if name != "secret"}
    assert shown.headers["etag"] == answer.headers["etag"]
    assert data["secret"] not in shown.text + headgate.get("/api/v1/keys").text


def test_what_a_key_may_do_unless_told(headgate: Headgate) -> None:
    """Without scopes a key may call models and list them, and manage nothing."""
    key = headgate.new_key()
    assert key.data["scopes"] == ["chat:write", "embeddings:write", "models:read"]

    own = headgate.as_key(key.secret)
    assert own.chat("sim/chat").status_code == 200
    assert own.post("/v1/embeddings", {"model": "sim/embed", "input": "x"}).status_code == 200
    assert own.get("/v1/models").status_code == 200
    for path in ("/api/v1/keys", "/api/v1/usage", "/api/v1/usage/records"):
        assert_error(own.get(path), 403, openai=False)


def test_listing_keys(own_headgate: Headgate) -> None:
    """Keys come newest first, page by page, each once, revoked ones included."""
    made = [own_headgate.new_key().id for _ in range(6)]
    own_headgate.delete(f"/api/v1/keys/{made[2]}")

    everything = own_headgate.get("/api/v1/keys").json()
    assert everything["meta"]["next_cursor"] is None
    ids = [key["id"] for key in everything["data"]]
    assert ids[:6] == made[::-1]
    assert len(ids) == 7
    assert [key["id"] for key in own_headgate.all_pages("/api/v1/keys", limit=2)] == ids
    assert [key["id"] for key in everything["data"] if key["revoked_at"]] == [made[2]]
    first = own_headgate.get("/api/v1/keys", limit=7).json()
    assert len(first["data"]) == 7
    assert first["meta"]["next_cursor"] is None


def test_reading_a_key_again(headgate: Headgate) -> None:
    """Who has the current version is told so without a body."""
    key = headgate.new_key()
    path = f"/api/v1/keys/{key.id}"

    for tag in (key.etag, f'"99", {key.etag}', f"W/{key.etag}", "*"):
        same = headgate.call("GET", path, headers={"if-none-match": tag})
        assert (same.status_code, same.content) == (304, b"")
        assert same.headers["etag"] == key.etag
    assert headgate.call("GET", path, headers={"if-none-match": '"99"'}).status_code == 200


def test_changing_a_key(headgate: Headgate) -> None:
    """A change names the version it is made to: without one it is a 428, with an old one a 412, and nothing changes."""
    key = headgate.new_key()
    path = f"/api/v1/keys/{key.id}"

    assert_error(headgate.patch(path, {"name": "No version"}), 428, openai=False)
    changed = headgate.patch(path, {"name": "First"}, if_match=key.etag)
    assert changed.status_code == 200
    assert changed.json()["data"]["name"] == "First"
    assert changed.headers["etag"] != key.etag
    assert_error(headgate.patch(path, {"name": "Second"}, if_match=key.etag), 412, openai=False)
    assert headgate.get(path).json()["data"] == changed.json()["data"]


def test_changing_a_key_at_the_same_time(headgate: Headgate) -> None:
    """Of changes to the same version exactly one is made; no update is lost."""
    key = headgate.new_key()
    path = f"/api/v1/keys/{key.id}"

    with ThreadPoolExecutor(5) as pool:
        names = [f"Name {index}" for index in range(5)]
        answers = list(pool.map(lambda name: headgate.patch(path, {"name": name}, if_match=key.etag), names))

    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]
    [made] = [answer.json()["data"] for answer in answers if answer.status_code == 200]
    assert headgate.get(path).json()["data"] == made


def test_changing_one_thing_leaves_the_others(headgate: Headgate) -> None:
    """What a change does not name stays; null takes an end away."""
    ends = in_future(days=1)
    key = headgate.new_key(expires_at=ends)
    path = f"/api/v1/keys/{key.id}"

    renamed = headgate.patch(path, {"name": "Renamed"}, if_match="*").json()["data"]
    assert renamed["expires_at"] == key.data["expires_at"]
    endless = headgate.patch(path, {"expires_at": None}, if_match="*").json()["data"]
    assert (endless["name"], endless["expires_at"]) == ("Renamed", None)
    assert endless["scopes"] == key.data["scopes"]


def test_a_change_to_a_cached_key_counts_at_once(headgate: Headgate) -> None:
    """A key that is given an end is refused after it, also where it was in use a moment ago."""
    key = headgate.new_key()
    own = headgate.as_key(key.secret)
    assert own.chat("sim/chat").status_code == 200

    ends = in_future(seconds=3)
    assert headgate.patch(f"/api/v1/keys/{key.id}", {"expires_at": ends}, if_match=key.etag).status_code == 200
    assert own.chat("sim/chat").status_code == 200
    until(lambda: own.chat("sim/chat").status_code == 401, "the key ends")
    assert datetime.now(UTC) >= datetime.fromisoformat(ends)
    assert_error(own.get("/v1/models"), 401, openai=True)


def test_when_a_key_was_last_used(headgate: Headgate) -> None:
    """A call to a model is noted on its key."""
    key = headgate.new_key()
    began = datetime.now(UTC) - timedelta(seconds=1)
    headgate.as_key(key.secret).chat("sim/chat")

    def last_used() -> str | None:
        headgate.records(key_id=key.id)  # which brings the store up to date
        return headgate.get(f"/api/v1/keys/{key.id}").json()["data"]["last_used_at"] or None

    assert datetime.fromisoformat(until(last_used, "the use is noted")) > began


WRONG: list[dict[str, Any]] = [
    {}, {"name": ""}, {"name": "  "}, {"name": "x" * 101}, {"name": 5}, {"name": None}, {"name": ["x"]},
    {"name": "x", "scopes": []}, {"name": "x", "scopes": ["everything"]}, {"name": "x", "scopes": "chat:write"},
    {"name": "x", "scopes": [None]}, {"name": "x", "scopes": ["chat:write"] * 40}, {"name": "x", "secret": "hg_mine"},
    {"name": "x", "org_id": UNKNOWN_ID}, {"name": "x", "expires_at": "tomorrow"},
    {"name": "x", "expires_at": "2030-01-01"}, {"name": "x", "expires_at": "2030-01-01T00:00:00"},
    {"name": "x", "expires_at": [1]}, {"name": "x", "expires_at": True},
]  # fmt: skip


@pytest.mark.parametrize("body", WRONG, ids=str)
def test_a_key_that_cannot_be_made(headgate: Headgate, body: dict[str, Any]) -> None:
    """Missing, unknown and wrong fields are a 400 that names them."""
    error = assert_error(headgate.post("/api/v1/keys", body), 400, openai=False)

    assert isinstance(error["details"], list)
    assert error["details"][0]["field"].split(".")[0] in {"name", "scopes", "secret", "org_id", "expires_at"}


@pytest.mark.parametrize("ends", ["2020-01-01T00:00:00Z", "1970-01-01T00:00:00+14:00"])
def test_an_end_in_the_past(headgate: Headgate, ends: str) -> None:
    """An end that has passed breaks a rule, not the form: 422."""
    assert_error(headgate.post("/api/v1/keys", {"name": "x", "expires_at": ends}), 422, openai=False)
    key = headgate.new_key()
    assert_error(headgate.patch(f"/api/v1/keys/{key.id}", {"expires_at": ends}, if_match=key.etag), 422, openai=False)


@pytest.mark.parametrize("ends", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"])
def test_an_end_outside_the_calendar(headgate: Headgate, ends: str) -> None:
    """Times that are no times in UTC are refused."""
    answer = headgate.post("/api/v1/keys", {"name": "x", "expires_at": ends})

    assert answer.status_code in {400, 422}, answer.text


@pytest.mark.parametrize("end", ["", "/actions/rotate"])
@pytest.mark.parametrize("key_id", [UNKNOWN_ID, "1", "x' OR 1=1 --"])
def test_a_key_that_does_not_exist(headgate: Headgate, key_id: str, end: str) -> None:
    """Unknown keys are a 404 for every method, in our shape."""
    path = f"/api/v1/keys/{key_id}{end}"
    if end:
        assert_error(headgate.post(path, {}), 404, openai=False)
        return
    assert_error(headgate.get(path), 404, openai=False)
    assert_error(headgate.delete(path), 404, openai=False)
    assert_error(headgate.patch(path, {"name": "x"}, if_match="*"), 404, openai=False)
