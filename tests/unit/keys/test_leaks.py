"""A leaked key: whoever holds it ends it, and learns nothing."""

from __future__ import annotations

from lib.access.principal import Permission
from lib.defence.shield import BURST
from lib.secrets.api_keys import new_key as invented
from tests.unit.sign_in.bound_keys import PAGE, chat, minted, new_key
from tests.unit.world import Answer, World, new_world

PATH = "/api/v1/keys/actions/report_leak"


def report(world: World, text: str, **headers: str) -> Answer:
    return world.ask("POST", PATH, {"key": text}, key=None, headers=headers)


def test_a_reported_key_is_over_and_its_organisation_finds_why() -> None:
    """At once, also where it was in use a moment ago. It is noted once, without the key."""
    world = new_world()
    key = new_key(world)
    assert chat(world, key["secret"]).status == 200
    for _ in range(2):
        answer = report(world, f" {key['secret']} ")
        assert (answer.status, answer.body) == (204, b"")
    assert chat(world, key["secret"]).status == 401
    shown = world.ask("GET", f"/api/v1/keys/{key['id']}").data
    assert shown["leaked_at"] == shown["revoked_at"] is not None
    [event] = world.binding.rows("SELECT * FROM audit_events WHERE action = 'key.leak_reported'")
    assert (event["action"], event["actor"], event["target"]) == ("key.leak_reported", "nobody", f"key:{key['id']}")
    assert key["secret"] not in str(dict(event))


def test_what_was_minted_with_it_is_over_too() -> None:
    """Whoever found it may have minted them. Other keys live on."""
    world = new_world()
    maker = new_key(world, scopes=["keys:mint", "chat:write"])
    stolen, own = minted(world, maker["secret"]), minted(world)
    report(world, maker["secret"])
    assert chat(world, stolen["secret"], origin=PAGE).status == 401
    assert chat(world, own["secret"], origin=PAGE).status == 200
    assert world.ask("GET", f"/api/v1/keys/{stolen['id']}").data["leaked_at"] is None


def test_an_invitation_that_was_sent_with_it_is_over_too() -> None:
    """Whoever found it may have invited itself, or had a key that it made invite it. Others' stay open."""
    world = new_world()
    maker = new_key(world, scopes=[*Permission])
    made = new_key(world, maker["secret"], scopes=[*Permission])
    invitations = f"/api/v1/orgs/{world.org_id}/invitations"
    for number, key in enumerate((maker["secret"], made["secret"], "")):
        body = {"email": f"{number}@example.com", "role": "admin", "send": False}
        assert world.ask("POST", invitations, body, key=key).status == 201
    report(world, maker["secret"])
    listed = {row["email"][0]: row["revoked_at"] is None for row in world.ask("GET", invitations).data}
    assert listed == {"0": False, "1": False, "2": True}


def test_nobody_is_told_whether_there_was_such_a_key() -> None:
    """Invented, malformed, revoked and real ones are all answered alike."""
    world = new_world()
    revoked = new_key(world)
    world.ask("DELETE", f"/api/v1/keys/{revoked['id']}")
    texts = [invented(), "hg_x", "anything", revoked["secret"], new_key(world)["secret"]]
    answers = [report(world, text) for text in texts]
    assert {(answer.status, answer.body) for answer in answers} == {(204, b"")}
    assert world.ask("GET", f"/api/v1/keys/{revoked['id']}").data["leaked_at"] is None


def test_invented_keys_are_looked_up_only_so_often() -> None:
    """A flood of them is no flood of reads. A key that is known to be right is taken all the same."""
    world = new_world()
    key = new_key(world)
    chat(world, key["secret"])
    home = {"cf-connecting-ip": "198.51.100.1"}
    answers = [report(world, invented(), **home).status for _ in range(BURST + 2)]
    assert answers == [204] * BURST + [429] * 2
    assert report(world, key["secret"], **home).status == 204
    assert chat(world, key["secret"]).status == 401


def test_the_body_is_a_key() -> None:
    """Else a 400, as everywhere."""
    world = new_world()
    for body in ({}, {"key": ""}, {"key": "x" * 201}, {"key": 5}, {"key": "x", "more": 1}):
        assert world.ask("POST", PATH, body, key=None).status == 400
