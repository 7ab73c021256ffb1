"""`/api/v1/keys`, from request to answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lib.access.principal import ALL_SCOPES, INFERENCE_SCOPES
from lib.kernel.ids import is_id
from lib.secrets import api_keys
from tests.unit.world import Answer, World, new_world

KEYS = "/api/v1/keys"


def make(world: World, **fields: object) -> Any:
    answer = world.ask("POST", KEYS, {"name": "a key", **fields})
    assert answer.status == 201, answer.body
    return answer.data


def patch(world: World, key_id: str, fields: object, tag: str | None = '"1"') -> Answer:
    return world.ask("PATCH", f"{KEYS}/{key_id}", fields, headers={"if-match": tag} if tag else {})


def test_a_key_is_made_and_its_secret_told_once() -> None:
    """201 with its place; whoever reads it later sees the prefix only."""
    world = new_world()
    answer = world.ask("POST", KEYS, {"name": "  build server  ", "scopes": ["usage:read"]})
    made = answer.data
    assert (answer.status, answer.headers["location"], answer.headers["etag"]) == (201, f"{KEYS}/{made['id']}", '"1"')
    assert is_id(made["id"])
    assert api_keys.is_key(made["secret"])
    assert (made["name"], made["scopes"]) == ("build server", ["usage:read"])
    read = world.ask("GET", f"{KEYS}/{made['id']}")
    assert read.data == {name: value for name, value in made.items() if name != "secret"}
    assert made["secret"] not in json.dumps([read.body, world.ask("GET", KEYS).body])


def test_without_scopes_a_key_may_only_call_models() -> None:
    """The narrow default."""
    assert make(new_world())["scopes"] == sorted(INFERENCE_SCOPES)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": ""},
        {"name": "   "},
        {"name": "x" * 101},
        {"name": 5},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["everything"]},
        {"name": "x", "scopes": "chat:write"},
        {"name": "x", "expires_at": "tomorrow"},
        {"name": "x", "expires_at": "2027-01-01T00:00:00"},
        {"name": "x", "unknown": 1},
        {"name": "x", "scopes": ["chat:write"] * (len(ALL_SCOPES) + 1)},
    ],
)
def test_a_malformed_key_is_refused(fields: dict[str, object]) -> None:
    """400, and nothing is made."""
    world = new_world()
    assert world.ask("POST", KEYS, fields).status == 400
    assert len(world.ask("GET", KEYS).data) == 1


@pytest.mark.parametrize(
    "name", ["\0", "\0hidden", "a\0b", "\u200b", "😀" * 100, "'; DROP TABLE api_keys; --", "<b>", "\x7f"]
)
def test_any_name_is_taken_or_refused(name: str) -> None:
    """A name that the store can't keep is the caller's mistake (4xx), not ours."""
    world = new_world()
    answer = world.ask("POST", KEYS, {"name": name})
    assert answer.status in {201, 400, 422}
    if answer.status == 201:
        assert world.ask("GET", f"{KEYS}/{answer.data['id']}").data["name"] == name


@pytest.mark.parametrize(
    "time",
    [
        "9999-12-31T23:59:59-12:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59.999999Z",
        "2100-01-01T00:00:00+05:30",
    ],
)
def test_any_time_is_taken_or_refused(time: str) -> None:
    """Also one that has no name in UTC."""
    assert new_world().ask("POST", KEYS, {"name": "x", "expires_at": time}).status in {201, 400, 422}


def test_times_are_answered_in_utc() -> None:
    """Whatever zone they came in."""
    assert make(new_world(), expires_at="2027-01-01T02:00:00+02:00")["expires_at"] == "2027-01-01T00:00:00Z"


def test_a_key_that_would_have_ended_already_is_refused() -> None:
    """422: the syntax is right, the time is not."""
    assert new_world().ask("POST", KEYS, {"name": "x", "expires_at": "2020-01-01T00:00:00Z"}).status == 422


def test_the_list_has_pages() -> None:
    """Newest first; the last page has no cursor; what a page shows and its order do not depend on its size."""
    world = new_world()
    for number in range(6):
        world.clock.advance(milliseconds=1)
        make(world, name=f"k{number}")
    names: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = world.ask("GET", f"{KEYS}?limit=3" + (f"&cursor={cursor}" if cursor else ""))
        names += [key["name"] for key in answer.data]
        cursor = answer.body["meta"]["next_cursor"]
    assert names == ["k5", "k4", "k3", "k2", "k1", "k0", "seeded"]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "cursor=nonsense", "cursor=", "page=2", "limit=3&limit=x"])
def test_a_wrong_page_is_refused(query: str) -> None:
    """400, naming the parameter."""
    answer = new_world().ask("GET", f"{KEYS}?{query}")
    assert (answer.status, answer.error["code"]) == (400, "invalid_request")


def test_a_client_that_has_the_version_gets_no_body() -> None:
    """304, with the tag."""
    world = new_world()
    made = make(world)
    answer = world.ask("GET", f"{KEYS}/{made['id']}", headers={"if-none-match": '"1"'})
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", '"1"')


def test_a_change_needs_the_version_it_was_made_from() -> None:
    """428 without one, 412 with an old one, and then nothing has changed."""
    world = new_world()
    made = make(world)
    assert patch(world, made["id"], {"name": "b"}, None).status == 428
    first = patch(world, made["id"], {"name": "b"})
    assert (first.status, first.data["name"], first.headers["etag"]) == (200, "b", '"2"')
    assert patch(world, made["id"], {"name": "c"}).status == 412
    assert world.ask("GET", f"{KEYS}/{made['id']}").data["name"] == "b"


def test_what_a_change_does_not_name_stays() -> None:
    """And null takes an end away."""
    world = new_world()
    made = make(world, expires_at="2027-01-01T00:00:00Z")
    assert patch(world, made["id"], {"name": "b"}).data["expires_at"] == "2027-01-01T00:00:00Z"
    ended = patch(world, made["id"], {"expires_at": None}, '"2"').data
    assert (ended["name"], ended["expires_at"]) == ("b", None)


def test_revoking_is_at_once_for_good_and_harmless_twice() -> None:
    """204 both times; the key stays in the list, as revoked."""
    world = new_world()
    made = make(world, scopes=["keys:read"])
    assert world.ask("GET", KEYS, key=made["secret"]).status == 200
    assert [world.ask("DELETE", f"{KEYS}/{made['id']}").status for _ in range(2)] == [204, 204]
    assert world.ask("GET", KEYS, key=made["secret"]).status == 401
    assert world.ask("GET", f"{KEYS}/{made['id']}").data["revoked_at"]
    assert patch(world, made["id"], {"name": "x"}, '"2"').error["code"] == "key_revoked"


def test_a_rotation_answers_with_the_new_secret() -> None:
    """201; the old key names its successor and ends after the overlap."""
    world = new_world()
    made = make(world)
    answer = world.ask("POST", f"{KEYS}/{made['id']}/actions/rotate", {"overlap_seconds": 60})
    assert answer.status == 201
    assert answer.data["secret"] != made["secret"]
    old = world.ask("GET", f"{KEYS}/{made['id']}").data
    assert (old["replaced_by_key_id"], old["expires_at"]) == (answer.data["id"], "2026-05-04T12:31:15.123456Z")


@pytest.mark.parametrize("seconds", [-1, 30 * 86_400 + 1, "soon", 1.5, None])
def test_an_overlap_is_bounded(seconds: object) -> None:
    """At most thirty days."""
    world = new_world()
    body = {"overlap_seconds": seconds}
    assert world.ask("POST", f"{KEYS}/{make(world)['id']}/actions/rotate", body).status == 400


def test_a_rotation_of_a_key_with_an_end_gives_no_key_without_one() -> None:
    """Else a key that is to end tomorrow, and may manage keys, makes itself eternal."""
    world = new_world()
    made = make(world, scopes=["keys:write"], expires_at="2026-05-05T00:00:00Z")
    rotated = world.ask("POST", f"{KEYS}/{made['id']}/actions/rotate", {}, key=made["secret"])
    assert rotated.status != 201 or rotated.data["expires_at"] is not None


@pytest.mark.parametrize("path", ["nothing", "%00", "~", "019df2f7-bc53-71df-8bd4-a62170911d62"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_key_that_is_not_there_is_not_found(method: str, path: str) -> None:
    """Whatever is written in its place."""
    body = {"name": "x"} if method == "PATCH" else None
    answer = new_world().ask(method, f"{KEYS}/{path}", body, headers={"if-match": "*"})
    assert (answer.status, answer.error["code"]) == (404, "not_found")
