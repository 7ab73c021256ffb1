"""API keys as text: recognised without asking anybody, and hashed so that a stolen store is of no use."""

from __future__ import annotations

import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.secrets import opaque
from lib.secrets.api_keys import derive, is_key, key_hash, new_key, shown_prefix

DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
KEY = new_key()


def test_a_new_key_has_the_documented_shape() -> None:
    """`hg_`, 32 random base-62 digits, 6 of their checksum."""
    assert re.fullmatch(r"hg_[0-9A-Za-z]{38}", new_key())
    assert is_key(new_key())


def test_new_keys_differ_and_use_every_digit() -> None:
    """No two are alike, and no digit is missing or favoured."""
    keys = [new_key() for _ in range(500)]
    assert len(set(keys)) == 500
    counts = Counter("".join(key[3:35] for key in keys))
    assert set(counts) == set(DIGITS)
    assert max(counts.values()) < 2 * min(counts.values())


@given(place=st.integers(0, len(KEY) - 1), digit=st.characters())
def test_any_single_character_that_is_changed_is_noticed(place: int, digit: str) -> None:
    """The checksum refuses a mistyped key without asking the store, wherever the mistake is."""
    changed = KEY[:place] + digit + KEY[place + 1 :]
    assert is_key(changed) == (changed == KEY)


@given(st.text(DIGITS, min_size=32, max_size=32), st.integers(0, 31), st.sampled_from(DIGITS))
def test_it_is_noticed_in_any_key(random: str, place: int, digit: str) -> None:
    """A CRC-32 finds every change of one byte, not almost every."""
    key = "hg_" + random + opaque._checksum(random)
    assert is_key(key)
    changed = key[: 3 + place] + digit + key[4 + place :]
    assert is_key(changed) == (changed == key)


@given(st.integers(3, len(KEY) - 2))
def test_swapped_neighbours_are_noticed(place: int) -> None:
    """The other common mistake of who types a key."""
    swapped = KEY[:place] + KEY[place + 1] + KEY[place] + KEY[place + 2 :]
    assert is_key(swapped) == (swapped == KEY)


@pytest.mark.parametrize(
    "text",
    ["", "hg_", KEY[:-1], KEY + "a", KEY + "\n", " " + KEY, KEY.upper(), "sk_" + KEY[3:]],
    ids=["nothing", "prefix", "short", "long", "line", "space", "upper", "another's"],
)
def test_what_has_not_the_shape_is_no_key(text: str) -> None:
    """Also with something around it."""
    assert not is_key(text)


@given(st.text())
def test_any_text_can_be_asked_about(text: str) -> None:
    """No header value makes it raise."""
    assert not is_key(text)


def test_the_shown_prefix_tells_the_owner_and_nobody_else() -> None:
    """Eight digits of 32: the rest is still 142 bits."""
    assert shown_prefix(KEY) == KEY[:11]


def test_a_hash_depends_on_the_key_and_on_the_pepper() -> None:
    """A stolen store can't be searched without the deployment's secret."""
    one, other = derive("a" * 32, "api-key-pepper"), derive("b" * 32, "api-key-pepper")
    hashes = {key_hash(key, pepper) for key in (KEY, new_key()) for pepper in (one, other)}
    assert len(hashes) == 4
    assert all(re.fullmatch(r"[0-9a-f]{64}", text) for text in hashes)
    assert key_hash(KEY, one) == key_hash(KEY, one)


def test_a_derived_key_serves_one_purpose() -> None:
    """Two purposes never share a key; the same purpose always gets the same one (known answer)."""
    assert derive("s" * 32, "api-key-pepper") != derive("s" * 32, "other")
    assert derive("secret", "purpose").hex() == "141926f87c41e7c8239e5a062ca52b5d1553b38accb4d342346a25eea78646ef"


def test_the_checksum_never_changes() -> None:
    """Keys that are out there must stay valid: a known key of the first version."""
    assert is_key("hg_" + "0" * 32 + "2wjyrI")
