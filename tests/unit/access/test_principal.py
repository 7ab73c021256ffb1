"""Who is calling: denied unless the key says so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lib.access.principal import ALL_SCOPES, INFERENCE_SCOPES, Permission, Principal
from tests.unit.fakes import NOW


def principal(*scopes: str, ends_in: timedelta | None = None) -> Principal:
    return Principal("org", "key", frozenset(scopes), None if ends_in is None else NOW + ends_in)


@pytest.mark.parametrize("scope", ALL_SCOPES)
def test_a_key_may_do_what_its_scopes_say_and_nothing_else(scope: Permission) -> None:
    """There is no scope that implies another."""
    assert principal(scope).may(scope)
    assert not principal(*(set(ALL_SCOPES) - {scope})).may(scope)
    assert not principal().may(scope)


def test_stored_scopes_are_the_apis_names() -> None:
    """They are written to the store as text, so text and enum must be the same."""
    assert principal("chat:write").may(Permission.CHAT_WRITE)
    assert [str(scope) for scope in ALL_SCOPES] == [scope.value for scope in ALL_SCOPES]


def test_a_key_without_further_wishes_can_only_call_models() -> None:
    """Nothing that manages is given away by default."""
    managing = ("keys:", "usage:", "limits:", "budgets:")
    assert not {scope for scope in INFERENCE_SCOPES if scope.startswith(managing) or scope == "models:write"}


def test_a_key_ends_at_its_very_instant() -> None:
    """`expires_at` is the first moment at which it does not work."""
    assert not principal().expired(NOW)
    assert not principal(ends_in=timedelta(microseconds=1)).expired(NOW)
    assert principal(ends_in=timedelta(0)).expired(NOW)
