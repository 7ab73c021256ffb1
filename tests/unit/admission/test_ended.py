"""Which calls have ended lately: what it says it knows, it knows."""

from __future__ import annotations

from datetime import timedelta

from lib.admission.decision import Reservation
from lib.admission.ended import MOST_REMEMBERED, SKEW_MS, Ended, Past
from lib.kernel.ids import milliseconds_of, new_id
from tests.unit.fakes import NOW

START = int(NOW.timestamp() * 1000)
PAST = Past(Reservation(0, 0, 0, [], [], None, hard=False), 0, final=True)


def named(after_ms: int) -> str:
    """Return the id of a call that began so long after the start."""
    return new_id(NOW + timedelta(milliseconds=after_ms))


def test_it_tells_how_a_call_ended() -> None:
    ended = Ended()
    ended.add("a", START, PAST)
    assert ended.get("a") is PAST
    assert ended.get("b") is None


def test_it_does_not_claim_to_know_what_was_before_it() -> None:
    """A call may have ended while another object held the gate, or by a clock that differs a little."""
    ended = Ended()
    assert not ended.would_know(named(10**9))
    ended.begin(START)
    ended.begin(START - 10**9)  # only the first time counts
    assert not ended.would_know(named(SKEW_MS))
    assert ended.would_know(named(SKEW_MS + 1))


def test_it_does_not_claim_to_know_an_id_without_a_time() -> None:
    ended = Ended()
    ended.begin(0)
    assert not ended.would_know("a")
    assert not ended.would_know("x" * 36)


def test_what_it_lets_go_it_no_longer_claims_to_know() -> None:
    """Its memory is bounded, under any load."""
    ended = Ended()
    ended.begin(START)
    for number in range(MOST_REMEMBERED + 1):
        ended.add(str(number), START + 100_000 + number, PAST)
    assert ended.get("0") is None
    assert ended.get("1") is PAST
    assert not ended.would_know(named(100_000 + SKEW_MS))
    assert ended.would_know(named(100_000 + SKEW_MS + 2))


def test_an_id_tells_when_it_was_made() -> None:
    assert milliseconds_of(named(7)) == START + 7
    assert milliseconds_of("0".ljust(36, "0")) is None
