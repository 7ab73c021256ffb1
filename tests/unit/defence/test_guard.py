"""The guard as services use it: what is counted where, and what happens when it can't be."""

from __future__ import annotations

import pytest

from lib.defence.guard import KNOWN, NETWORK, GuardFailure, ObjectGuard
from lib.defence.guessing import Attempts, rule_of
from lib.kernel.errors import TooManyRequests, Unavailable
from lib.kernel.failures import Failure, counts
from tests.unit.fakes import run

EMAIL, HOME, AWAY = "alice@wonder.example", "192.0.2.7", "198.51.100.9"
SIGN_IN = "sign_in"


class CoreObjects:
    """Real counts, reached without a network. `failure` is what every call raises."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000
        self.of: dict[str, Attempts] = {}
        self.failure: GuardFailure | None = None

    def _object(self, name: str) -> Attempts:
        if self.failure:
            raise self.failure
        purpose, kind, _ = name.split(":", 2)
        return self.of.setdefault(name, Attempts(rule_of(purpose, network=kind == NETWORK)))

    async def attempt(self, name: str, network: str) -> int:
        wait = self._object(name).attempt(network, self.now)
        return KNOWN if wait == 0 and self._object(name).knows(network, self.now) else wait

    async def failed(self, name: str, network: str) -> None:
        self._object(name).failed(network, self.now)

    async def succeeded(self, name: str, network: str) -> int:
        known = self._object(name).knows(network, self.now)
        self._object(name).succeeded(network, self.now)
        return KNOWN if known else 0

    async def released(self, name: str, network: str) -> None:
        self._object(name).released(network)


class Guarded:
    def __init__(self) -> None:
        self.objects = CoreObjects()
        self.guard = ObjectGuard(self.objects, b"k" * 32)

    def wrong(self, account: str = EMAIL, address: str | None = HOME) -> int | None:
        """Try and fail; return the seconds to wait where it is refused."""
        try:
            run(self.guard.check(SIGN_IN, account, address))
        except TooManyRequests as refusal:
            return int(refusal.headers["retry-after"])
        run(self.guard.failed(SIGN_IN, account, address))
        return None

    def right(self, account: str = EMAIL, address: str | None = HOME) -> None:
        """Try and succeed. Raises TooManyRequests."""
        run(self.guard.check(SIGN_IN, account, address))
        run(self.guard.succeeded(SIGN_IN, account, address))


def test_guessing_at_one_account_is_refused_with_a_time() -> None:
    """The same for an address that nobody has: no account is looked up."""
    guarded = Guarded()
    assert [guarded.wrong() for _ in range(6)] == [None] * 5 + [1]
    assert [guarded.wrong("nobody@wonder.example", AWAY) for _ in range(6)] == [None] * 5 + [1]
    with pytest.raises(TooManyRequests) as raised:
        run(guarded.guard.check(SIGN_IN, EMAIL, HOME))
    assert raised.value.code == "too_many_attempts"


def test_the_owner_elsewhere_is_not_kept_out() -> None:
    """Nor in the same network, for longer than half a minute, once it has signed in from there."""
    guarded = Guarded()
    for _ in range(8):
        guarded.wrong()
    run(guarded.guard.check(SIGN_IN, EMAIL, AWAY))
    run(guarded.guard.succeeded(SIGN_IN, EMAIL, AWAY))
    for _ in range(30):
        wait = guarded.wrong(EMAIL, AWAY)
        assert (wait or 0) <= 30
        guarded.objects.now += (wait or 0) * 1000


def test_one_network_tries_all_accounts_only_so_often() -> None:
    """A few passwords on everybody. Whoever is known there passes all the same."""
    guarded = Guarded()
    run(guarded.guard.succeeded(SIGN_IN, EMAIL, HOME))
    assert [guarded.wrong(f"p{number}@wonder.example") for number in range(31)] == [None] * 30 + [1]
    run(guarded.guard.check(SIGN_IN, EMAIL, HOME))
    with pytest.raises(TooManyRequests):
        run(guarded.guard.check(SIGN_IN, "other@wonder.example", HOME))
    # What the network refused is no attempt on the account.
    account = guarded.objects.of[guarded.guard._account(SIGN_IN, "other@wonder.example")]
    assert account._under_way == {}


@pytest.mark.parametrize("account", ["", "p{}@wonder.example"])
def test_many_sign_in_from_one_network(account: str) -> None:
    """At the same moment, as on a Monday at nine: who has succeeded counts no more, with an account or without."""
    guarded = Guarded()
    for number in range(100):
        guarded.right(account.format(number))


def test_a_success_takes_back_no_more_than_its_own_attempt() -> None:
    """Else who guesses could sign in to an account of its own in between, and guess on at once."""
    guarded = Guarded()
    guarded.right()
    for number in range(30):
        run(guarded.guard.check(SIGN_IN, f"p{number}@wonder.example", HOME))
    guarded.right()
    guarded.right()
    with pytest.raises(TooManyRequests):
        run(guarded.guard.check(SIGN_IN, "other@wonder.example", HOME))


def test_without_an_account_only_the_network_counts() -> None:
    """As for who comes back from a provider. Without the platform's header there is no network to count."""
    guarded = Guarded()
    assert [guarded.wrong("", HOME) for _ in range(31)] == [None] * 30 + [1]
    assert [guarded.wrong("", None) for _ in range(100)] == [None] * 100


def test_no_object_is_called_by_an_address() -> None:
    """Names are seen by operators, and in logs."""
    guarded = Guarded()
    guarded.wrong()
    assert [name for name in guarded.objects.of if "alice" in name] == []
    assert [name for name in guarded.objects.of if name.startswith("sign_in:network:")] == ["sign_in:network:192.0.2"]


def test_what_can_not_be_counted_is_not_let_in() -> None:
    """Nobody guesses while the guard is away. What has ended already is not undone by that."""
    guarded = Guarded()
    guarded.objects.failure = GuardFailure("gone")
    with pytest.raises(Unavailable) as raised:
        run(guarded.guard.check(SIGN_IN, EMAIL, HOME))
    assert raised.value.code == "guard_unavailable"
    run(guarded.guard.failed(SIGN_IN, EMAIL, HOME))
    run(guarded.guard.succeeded(SIGN_IN, EMAIL, HOME))
    assert counts() == {Failure.GUARD_UNREACHABLE.name.lower(): 3}
