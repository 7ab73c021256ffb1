"""The shield of the look-ups: what a network may cost, what a right key never feels, and that memory is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.defence import shield as shield_module
from lib.defence.shield import BURST, RATE, WRONG_SECONDS, Shield, Verdict, network_of

NET = "192.0.2"
T = 1000.0


def flood(shield: Shield, number: int, now: float, network: str = NET) -> int:
    """Present so many wrong keys; return how many were looked up."""
    looked_up = 0
    for index in range(number):
        key = f"{network}-{now}-{index}"
        if shield.judge(network, key, now) is Verdict.LOOK_UP:
            looked_up += 1
            shield.not_found(key, now)
    return looked_up


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 60)), max_size=20))
def test_a_network_costs_no_more_than_its_bound(waves: list[tuple[float, int]]) -> None:
    """So many at once, and so many a second, whenever they come."""
    shield, now, looked_up = Shield(), T, 0
    for pause, number in waves:
        now += pause
        looked_up += flood(shield, number, now)
    assert looked_up <= BURST + (now - T) * RATE


def test_another_network_is_not_affected() -> None:
    """Each has its own bucket."""
    shield = Shield()
    assert flood(shield, 100, T) == BURST
    assert flood(shield, 100, T, "198.51.100") == BURST


def test_a_right_key_costs_nothing_and_is_never_refused() -> None:
    """However many wrong ones come from the same network, before and after it."""
    shield = Shield()
    for index in range(200):
        key = f"right-{index}"
        assert shield.judge(NET, key, T) is Verdict.LOOK_UP
        shield.found(NET, key, T)
    flood(shield, 1000, T)
    assert {shield.judge(NET, f"right-{index}", T) for index in range(200)} == {Verdict.LOOK_UP}
    assert shield.judge(NET, "unknown", T) is Verdict.TOO_MANY


def test_a_wrong_key_is_refused_unseen_for_a_while() -> None:
    """And costs no token meanwhile."""
    shield = Shield()
    assert shield.judge(NET, "k", T) is Verdict.LOOK_UP
    shield.not_found("k", T)
    for _ in range(100):
        assert shield.judge(NET, "k", T + WRONG_SECONDS - 0.1) is Verdict.WRONG
    assert shield.judge(NET, "k", T + WRONG_SECONDS) is Verdict.LOOK_UP


def test_a_key_that_was_right_and_is_not_any_more() -> None:
    """Revoked: from its next look-up on it is like any other wrong one."""
    shield = Shield()
    shield.judge(NET, "k", T)
    shield.found(NET, "k", T)
    shield.not_found("k", T)
    assert shield.judge(NET, "k", T) is Verdict.WRONG


def test_the_same_key_is_looked_up_by_one_at_a_time() -> None:
    """The others wait. Who has waited long enough looks it up itself, for a token of its own."""
    shield = Shield()
    assert shield.judge(NET, "k", T) is Verdict.LOOK_UP
    assert shield.judge(NET, "k", T) is Verdict.WAIT
    assert shield.judge(NET, "k", T, patient=False) is Verdict.LOOK_UP
    assert flood(shield, 100, T) == BURST - 2


def test_when_the_store_fails_the_token_comes_back() -> None:
    """Nobody knows what the key was."""
    shield = Shield()
    for _ in range(100):
        assert shield.judge(NET, "k", T) is Verdict.LOOK_UP
        shield.failed(NET, "k", T)
    assert flood(shield, 100, T) == BURST


def test_a_clock_that_is_set_back_gives_nothing() -> None:
    """Nor does it take."""
    shield = Shield()
    assert flood(shield, 100, T) == BURST
    assert flood(shield, 100, T - 500) == 0


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was not seen for longest is forgotten."""
    for name in ("MOST_NETWORKS", "MOST_WRONG", "MOST_RIGHT"):
        monkeypatch.setattr(shield_module, name, 3)
    shield = Shield()
    for index in range(20):
        shield.judge(f"n{index}", f"lost-{index}", T)
        shield.judge(f"n{index}", f"k{index}", T)
        shield.found(f"n{index}", f"k{index}", T)
        shield.not_found(f"w{index}", T)
    assert max(len(table) for table in (shield._right, shield._wrong, shield._buckets, shield._asking)) == 3


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113"),
        ("::ffff:203.0.113.9", "203.0.113"),
        ("2001:db8:7:1:2:3:4:5", "2001:db8:7"),
        ("2001:db8:7::1", "2001:db8:7"),
        ("2001:0DB8:0007::", "2001:db8:7"),
        ("2001::1", "2001:0:0"),
        ("::1", "0:0:0"),
        ("::", "0:0:0"),
        ("1::2:3:4:5:6:7", "1:0:2"),
        *((text, "") for text in ("", "x", "1.2.3", "1.2.3.4.5", "1.2.3.x", "1.2.3.1234", "1:2", "1:::2", "g::1")),
        *((text, "") for text in ("1:2:3:4:5:6:7:8:9", "1::2:3:4:5:6:7:8", "1::2::3", "²::1", "1.2.3.²", "9" * 400)),
    ],
)
def test_the_network_of_an_address(address: str, network: str) -> None:
    """What is no address has the one network of all such."""
    assert network_of(address) == network


def test_without_the_platforms_header_all_are_one_network() -> None:
    """As on a workerd that stands alone."""
    assert network_of(None) == ""
