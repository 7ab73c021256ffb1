"""`/api/v1/me`, from request to answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lib.kernel.errors import Forbidden
from lib.users import people
from tests.unit.fakes import run
from tests.unit.sign_in.people import EMAIL, PASSWORD
from tests.unit.sign_in.signing_up import ME, join, open_world, row


def test_a_person_sees_itself() -> None:
    """Never a hash or a sealed secret."""
    world = open_world()
    user_id = join(world)
    answer = world.ask_as(user_id, "GET", ME)
    assert answer.status == 200
    shown = answer.data
    assert (shown["id"], shown["email"], shown["name"]) == (user_id, EMAIL, "Alice")
    assert (shown["email_verified"], shown["totp_enabled"]) == (True, False)
    assert [membership["role"] for membership in shown["memberships"]] == ["owner"]
    assert row(world)["password_hash"] not in str(answer.body)
    tag = answer.headers["etag"]
    assert world.ask_as(user_id, "GET", ME, headers={"if-none-match": tag}).status == 304


def test_a_name_is_changed() -> None:
    """By whoever has seen the account as it is."""
    world = open_world()
    user_id = join(world)
    tag = world.ask_as(user_id, "GET", ME).headers["etag"]
    assert world.ask_as(user_id, "PATCH", ME, {"name": " Al "}).status == 428
    answer = world.ask_as(user_id, "PATCH", ME, {"name": " Al "}, headers={"if-match": tag})
    assert (answer.status, answer.data["name"]) == (200, "Al")
    assert answer.headers["etag"] != tag
    assert world.ask_as(user_id, "PATCH", ME, {"name": "Bo"}, headers={"if-match": tag}).status == 412


def test_of_two_who_change_it_at_once_one_is_refused() -> None:
    world = open_world()
    user_id = join(world)
    tag = world.ask_as(user_id, "GET", ME).headers["etag"]

    def beaten() -> None:
        if "SET name" in str(world.binding.statements[-2:]):
            world.binding.rows("UPDATE users SET version = version + 1")

    world.binding.on_batch = beaten
    assert world.ask_as(user_id, "PATCH", ME, {"name": "Al"}, headers={"if-match": tag}).status == 412


@pytest.mark.parametrize(
    "fields", [{"email": "x@y.example"}, {"name": ""}, {"name": "x" * 101}, {"totp_enabled": True}]
)
def test_nothing_else_is_changed_here(fields: dict[str, object]) -> None:
    world = open_world()
    assert world.ask_as(join(world), "PATCH", ME, fields).status == 400


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", ME, None),
        ("PATCH", ME, {"name": "x"}),
        ("DELETE", ME, {"password": PASSWORD}),
        ("POST", f"{ME}/actions/change_password", {"current_password": PASSWORD, "new_password": PASSWORD}),
        ("POST", f"{ME}/actions/change_email", {"email": EMAIL, "password": PASSWORD}),
        ("POST", f"{ME}/actions/begin_totp", {"password": PASSWORD}),
        ("POST", f"{ME}/actions/confirm_totp", {"code": "123456"}),
        ("POST", f"{ME}/actions/disable_totp", {"password": PASSWORD, "code": "123456"}),
    ],
)
def test_a_key_is_nobodys_self(method: str, path: str, body: object) -> None:
    """403 for a key, whatever its scopes; 401 for nobody."""
    world = open_world()
    assert world.ask(method, path, body).status == 403
    assert world.ask(method, path, body, key=None).status == 401


def test_a_key_that_names_a_person_is_not_that_person() -> None:
    """One that was made for somebody: whoever holds it must not own the account."""
    world = open_world()
    user_id = join(world)
    held = replace(world.key.principal, user_id=user_id)
    with pytest.raises(Forbidden):
        run(people.person(world.parts, held))
