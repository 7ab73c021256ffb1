"""Against guessing: attempts become slow for who guesses, and never hopeless for the owner."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.defence import guessing
from lib.defence.guessing import (
    DAY_MS,
    FREE_OF_ALL,
    HOUR_MS,
    KNOWN_MS,
    LONGEST_OWNER_MS,
    MINUTE_MS,
    MOST_FAILURES,
    MOST_KNOWN,
    MOST_NETWORKS,
    SECOND_MS,
    UNDER_WAY_MS,
    Attempts,
    Rule,
    rule_of,
)

PASSWORD = rule_of("sign_in", network=False)
RULES = [PASSWORD, rule_of("totp", network=False), rule_of("reset", network=False), rule_of("sign_in", network=True)]
START = 1_800_000_000_000
STRANGERS = [f"stranger{number}" for number in range(40)]
OWNER, HOME = "owner's new network", "owner's network"


def guess(attempts: Attempts, network: str, now: int) -> int:
    """Try and fail; return how long to wait instead, or 0."""
    wait = attempts.attempt(network, now)
    if wait == 0:
        attempts.failed(network, now)
    return wait


# What strangers do: from which network, and how long after the deed before. They never wait as they are told.
STRANGE = st.lists(st.tuples(st.sampled_from(STRANGERS), st.integers(0, 5 * SECOND_MS)), max_size=200)


def attacked(deeds: list[tuple[str, int]], attempts: Attempts, now: int) -> int:
    for network, pause in deeds:
        now += pause
        guess(attempts, network, now)
    return now


@given(STRANGE, STRANGE)
def test_a_stranger_can_not_keep_the_owner_out(before: list[tuple[str, int]], meanwhile: list[tuple[str, int]]) -> None:
    """From a network that it has never used the owner waits once, at most 30 s, whatever strangers do in that time."""
    attempts = Attempts(PASSWORD)
    now = attacked(before, attempts, START)
    wait = attempts.attempt(OWNER, now)
    assert 0 <= wait <= LONGEST_OWNER_MS
    if wait:
        for network, pause in meanwhile:
            guess(attempts, network, now + pause * wait // (5 * SECOND_MS))
        assert attempts.attempt(OWNER, now + wait) == 0


def test_what_the_owner_was_told_holds_while_strangers_fail_on() -> None:
    """Each failure makes the wait of those who come later longer, and not that of who waits already."""
    attempts = Attempts(PASSWORD)
    for number in range(FREE_OF_ALL):
        attempts.failed(f"stranger{number}", START)
    wait = attempts.attempt(OWNER, START)
    assert wait == SECOND_MS
    attempts.failed("another", START + 500)
    assert attempts.attempt("a third", START + 500) == 2 * SECOND_MS
    assert attempts.attempt(OWNER, START + wait) == 0


@given(STRANGE)
def test_an_owner_at_home_does_not_notice(before: list[tuple[str, int]]) -> None:
    """Where it has signed in before, nobody's failures but its own count."""
    attempts = Attempts(PASSWORD)
    attempts.attempt(HOME, START)
    attempts.succeeded(HOME, START)
    now = attacked(before, attempts, START + DAY_MS)
    assert attempts.attempt(HOME, now) == 0


def test_at_home_the_wait_is_never_long() -> None:
    """Even where a stranger in the owner's own network guesses."""
    attempts = Attempts(PASSWORD)
    attempts.succeeded(HOME, START)
    now, longest = START, 0
    for _ in range(100):
        wait = guess(attempts, HOME, now)
        longest, now = max(longest, wait), now + wait
    assert longest == LONGEST_OWNER_MS


@pytest.mark.parametrize("rule", RULES)
def test_waits_grow_up_to_the_longest(rule: Rule) -> None:
    """Some attempts are free, then each wait is twice the one before."""
    attempts = Attempts(rule)
    now, waits = START, []
    for _ in range(rule.free + 25):
        if wait := attempts.attempt("x", now):
            waits.append(wait)
            now += wait
            assert attempts.attempt("x", now) == 0
        attempts.failed("x", now)
    assert len(waits) == 25
    assert waits[:3] == [rule.first_ms, 2 * rule.first_ms, 4 * rule.first_ms][: len(waits)]
    assert waits == sorted(waits)
    assert waits[-1] == rule.longest_ms


@pytest.mark.parametrize(("rule", "most"), [(PASSWORD, 110), (rule_of("totp", network=False), 40)])
def test_how_many_guesses_a_day_has(rule: Rule, most: int) -> None:
    """From one network at one password, or at one person's codes from everywhere: ASVS asks for at most 100 an hour."""
    attempts, now, guesses = Attempts(rule), START, 0
    while now < START + DAY_MS:
        wait = guess(attempts, f"network {guesses % 7}" if rule.shared else "x", now)
        guesses += wait == 0
        now += wait
    assert guesses <= most


@given(st.integers(1, 60))
def test_many_at_once_are_not_all_the_first(number: int) -> None:
    """None has failed yet when the last begins: those under way count."""
    attempts = Attempts(PASSWORD)
    passed = [attempts.attempt("x", START) for _ in range(number)].count(0)
    assert passed == min(number, PASSWORD.free)
    assert attempts.attempt("x", START + UNDER_WAY_MS) == 0


def test_who_gets_in_is_forgiven() -> None:
    """Its own failures, not those of others."""
    attempts = Attempts(PASSWORD)
    for _ in range(PASSWORD.free):
        assert guess(attempts, HOME, START) == guess(attempts, "stranger", START) == 0
    assert attempts.attempt(HOME, START) > 0
    attempts.succeeded(HOME, START + SECOND_MS)
    assert attempts.attempt(HOME, START + SECOND_MS) == 0
    assert attempts.attempt("stranger", START) > 0


def test_an_attempt_without_a_result_costs_nothing() -> None:
    """It was refused elsewhere."""
    attempts = Attempts(PASSWORD)
    for _ in range(100):
        assert attempts.attempt("x", START) == 0
        attempts.released("x")


@pytest.mark.parametrize("rule", RULES)
@given(count=st.integers(1, 100))
def test_everything_is_forgotten(rule: Rule, count: int) -> None:
    """At the time that is told, and not before: then the object can go."""
    attempts = Attempts(rule)
    for _ in range(count):
        attempts.failed("x", START)
    end = attempts.forgets_at()
    assert end <= START + max(MOST_FAILURES * rule.forget_ms, FREE_OF_ALL * HOUR_MS)
    for _ in range(rule.free):
        assert guess(attempts, "x", end) == 0


def test_one_failure_is_forgotten_at_a_time() -> None:
    """Who comes back after an hour has one more attempt, not all of them."""
    attempts = Attempts(PASSWORD)
    for _ in range(PASSWORD.free + 2):
        attempts.failed("x", START)
    assert attempts.attempt("x", START) == 4 * SECOND_MS
    later = START + 2 * PASSWORD.forget_ms
    assert [attempts.attempt("x", later) for _ in range(2)] == [0, 2 * SECOND_MS]


def test_a_network_is_known_for_a_while() -> None:
    """And so many of them, the one used longest ago makes room."""
    attempts = Attempts(PASSWORD)
    for number in range(MOST_KNOWN + 1):
        attempts.succeeded(f"n{number}", START + number)
    assert not attempts.knows("n0", START + MINUTE_MS)
    assert attempts.knows("n1", START + MINUTE_MS)
    assert not attempts.knows("n1", START + KNOWN_MS + MINUTE_MS)


def test_memory_is_bounded() -> None:
    """However many networks try. What is too much keeps nobody out."""
    attempts = Attempts(PASSWORD)
    for number in range(MOST_NETWORKS + 500):
        guess(attempts, f"n{number}", START)
    assert len(attempts._counts) <= MOST_NETWORKS
    assert len(attempts._since) <= MOST_NETWORKS
    assert len(attempts.to_json()) < 60_000
    assert attempts.attempt(OWNER, START) == 0


@given(STRANGE, st.booleans())
def test_what_is_kept_is_what_was_known(deeds: list[tuple[str, int]], shared: bool) -> None:
    """But for attempts under way and for who waits: after a restart nobody waits longer than before."""
    rule = RULES[1] if shared else PASSWORD
    attempts = Attempts(rule)
    attempts.succeeded(HOME, START)
    now = attacked(deeds, attempts, START)
    again = Attempts.from_json(rule, attempts.to_json())
    assert again.to_json() == attempts.to_json()
    assert again.forgets_at() == attempts.forgets_at()
    assert again.knows(HOME, now)


def test_who_asks_for_mails_has_one_turn_everywhere() -> None:
    """Whoever is kept from it has a mail already that works, asked for by whom ever."""
    attempts = Attempts(rule_of("reset", network=False))
    for number in range(3):
        assert guess(attempts, f"n{number}", START) == 0
    assert attempts.attempt("another", START) == 30 * SECOND_MS


def test_a_network_has_a_turn_for_all_accounts() -> None:
    """So a few passwords are not tried on everybody."""
    attempts = Attempts(rule_of("sign_in", network=True))
    for _ in range(30):
        assert guess(attempts, "", START) == 0
    assert guess(attempts, "", START) == SECOND_MS


def test_unknown_purposes_are_guarded_as_passwords_are() -> None:
    """A new one is not unguarded because somebody forgot a table."""
    assert rule_of("new", network=False) == rule_of("sign_in", network=False)
    assert guessing.LONGEST_OWNER_MS == 30_000


@pytest.mark.parametrize("network", [False, True])
def test_a_company_is_invited_in_one_go(network: bool) -> None:
    """A hundred at once, then one a minute: more than forty failures are counted where so many are free."""
    attempts, now, sent = Attempts(rule_of("invitation" if network else "inviting", network=network)), 0, 0
    while now < 10 * MINUTE_MS:
        wait = attempts.attempt("", now)
        if wait:
            now += wait
        else:
            attempts.failed("", now)
            sent += 1
    assert 105 <= sent <= 120
