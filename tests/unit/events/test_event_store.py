"""What may stand in the audit log, and what never does."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.audit.differences import differences
from lib.events.event import Event
from lib.events.event_store import MOST_FIELDS, MOST_TEXT, Log, details_text, entry_of
from lib.http.context import Context
from lib.secrets.api_keys import new_key
from lib.store.tenant import Org, Person
from tests.unit.fakes import NOW

CONTEXT = Context("request", "2001:db8::1", "a browser")


def test_an_event_of_an_organisation_says_who_did_what_to_which_from_where() -> None:
    """And when, and with which result."""
    told = Event("key.revoke", Org("o"), "key:k", {"n": 1}, "denied")
    event = entry_of(told, "user:u", CONTEXT, NOW)
    assert (event.log, event.owner, event.action, event.actor, event.target) == (
        Log.ORG,
        "o",
        "key.revoke",
        "user:u",
        "key:k",
    )
    assert (event.result, event.address, event.request_id, event.details) == (
        "denied",
        "2001:db8::1",
        "request",
        '{"n":1}',
    )
    assert event.at == NOW


def test_a_person_has_a_log_of_its_own() -> None:
    """Whoever has done it."""
    event = entry_of(Event("user.suspended", Person("u")), "operator", CONTEXT, NOW)
    assert (event.log, event.owner, event.actor, event.target, event.result) == (
        Log.PERSON,
        "u",
        "operator",
        None,
        "ok",
    )


@pytest.mark.parametrize("name", ["password", "new_password", "refresh_token", "client_secret", "code", "Cookie"])
def test_a_secret_has_no_name_in_the_log(name: str) -> None:
    """A caller that tries is a defect, and its test fails."""
    with pytest.raises(ValueError, match=name):
        details_text({name: "x"})


def test_what_looks_like_a_secret_of_ours_is_hidden() -> None:
    """Whatever it is called, in the details and in the target."""
    key = new_key()
    text = details_text({"name": f"my {key} key"})
    assert json.loads(text) == {"name": "my [secret] key"}
    made = entry_of(Event("x", Org("o"), f"key:{key}"), "nobody", CONTEXT, NOW)
    assert made.target == "key:[secret]"


@given(st.dictionaries(st.text(max_size=100), st.text(max_size=1000) | st.integers() | st.booleans() | st.none()))
def test_details_fit_their_column(details: dict[str, str | int | bool | None]) -> None:
    """Whatever is in them, they are JSON of at most so many characters."""
    details = {f"{name}_": value for name, value in details.items()}
    text = details_text(details)
    assert len(text) <= MOST_TEXT
    assert isinstance(json.loads(text), dict)


def test_a_long_target_is_cut_and_an_empty_one_is_none() -> None:
    """The column takes 300 characters, and none that is empty."""
    for target, kept in (("x" * 400, "x" * 300), ("", None)):
        made = entry_of(Event("x", Org("o"), target), "nobody", CONTEXT, NOW)
        assert made.target == kept


def test_what_has_changed_is_told_without_secrets() -> None:
    """Neither a hash, nor bookkeeping, nor a secret in a name; what is the same is left out."""
    row = {"id": "1", "version": 1, "secret_hash": "a", "name": "hg_" + "A" * 38, "same": 1, "scopes": frozenset("ba")}
    told = differences(row, row | {"version": 2, "secret_hash": "b", "name": "n", "scopes": frozenset("b")})
    assert json.loads(details_text(told)) == {
        "changes": {"name": {"old": "[secret]", "new": "n"}, "scopes": {"old": "a b", "new": "b"}}
    }


@given(st.integers(1, 40), st.text(st.characters(exclude_categories=["C"]), max_size=900))
def test_what_has_changed_always_fits(number: int, text: str) -> None:
    """Cut, and not lost, however many and long the fields are."""
    fields = {f"field {each}": text for each in range(number)}
    told = details_text(differences(fields, dict.fromkeys(fields, 1)) | {"name": text})
    assert len(told) <= MOST_TEXT
    assert len(json.loads(told)["changes"]) == (min(number, MOST_FIELDS) if text != "1" else 0)
