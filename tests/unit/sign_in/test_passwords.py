"""Passwords: what is refused, what is stored, and that nothing tells who has an account."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lib.kernel.errors import UnprocessableEntity
from lib.sign_in.passwords import MOST_BYTES, HashCost, Passwords
from tests.unit.sign_in.counting_hasher import CountingHasher

GOOD = "nine lives for cats"
CHEAP = HashCost(64, 1)


def made(**changes: object) -> Passwords:
    return replace(Passwords(CountingHasher(), "s" * 32, CHEAP, 12), **changes)  # type: ignore[arg-type]


def test_a_password_is_verified_against_its_hash_alone() -> None:
    """Case, spaces and every byte count; what is stored names algorithm and cost."""
    passwords = made()
    stored = passwords.hash(GOOD)
    assert stored.startswith("$argon2id$v=19$m=64,t=1,p=1,keyid=")
    assert passwords.verify(stored, GOOD)
    for other in (GOOD.title(), f"{GOOD} ", GOOD[:-1], f"{GOOD}\0", ""):
        assert not passwords.verify(stored, other)


def test_no_two_hashes_are_alike() -> None:
    """Each has a salt of its own: who has the same password as somebody else is not seen."""
    passwords = made()
    assert passwords.hash(GOOD) != passwords.hash(GOOD)


def test_a_stolen_database_is_useless_without_the_secret() -> None:
    """The pepper: with another secret no password fits."""
    stored = made().hash(GOOD)
    assert not made(secret="t" * 32).verify(stored, GOOD)
    assert not CountingHasher().verify(stored, GOOD.encode())


def test_who_has_no_account_costs_the_same() -> None:
    """One verification at the configured cost, also where nothing is stored, and it never succeeds."""
    hasher = CountingHasher()
    passwords = made(hasher=hasher)
    assert not passwords.verify(None, GOOD)
    assert not passwords.verify(None, "")
    assert (hasher.verified, hasher.hashed) == (2, 0)


def test_a_hash_of_another_cost_is_made_anew() -> None:
    """It still fits; that it is to be made anew shows in it."""
    old, new = made(), made(cost=HashCost(128, 1))
    stored = old.hash(GOOD)
    assert new.verify(stored, GOOD)
    assert (old.needs_rehash(stored), new.needs_rehash(stored)) == (False, True)
    assert new.needs_rehash("plain")


@pytest.mark.parametrize(
    "password",
    [
        "eleven char",
        "qwertyqwerty",
        "QwertyQwerty",
        "1qaz2wsx3edc",
        "x" * (MOST_BYTES + 1),
        "é" * (MOST_BYTES // 2 + 1),
        "alice.liddell@wonder.example",
        "liddell-alice-2026",
        "Headgate1234",
        "wonder.example",
    ],
)
def test_a_weak_password_is_refused(password: str) -> None:
    """Too short or too long, common in whatever case, or made of the person's name, the address or our name."""
    with pytest.raises(UnprocessableEntity) as refused:
        made().check(password, "alice.liddell@wonder.example", "Alice Liddell")
    assert refused.value.code == "weak_password"
    assert password not in refused.value.message


@pytest.mark.parametrize(
    "password",
    [GOOD, "a" * 13 + "b", "ⲁⲗⲫⲁ ⲃⲏⲧⲁ 🐈🐈", "0123456789 of alice", "é" * (MOST_BYTES // 2), "            !"],
)
def test_there_are_no_other_rules(password: str) -> None:
    """Any characters, any mixture, spaces and all: NIST SP 800-63B, 5.1.1.2."""
    made().check(password, "alice@wonder.example", "Alice")


def test_the_least_length_can_be_set() -> None:
    """In characters, not in bytes."""
    with pytest.raises(UnprocessableEntity, match="20"):
        made(min_length=20).check("nineteen characters")
    made(min_length=8).check("ééööüüää")


def test_the_secret_does_not_show() -> None:
    assert "ssss" not in repr(made())
