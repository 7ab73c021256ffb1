"""The shield of the look-ups: a flood of well-shaped but wrong keys must not become a flood of reads.

Pure: no I/O, no clock; times are seconds. It bounds the look-ups of keys that turn out wrong, of each network in each
isolate: BURST at once, and RATE a second after that. A look-up that finds a key gives its token back, and that key
needs none again. An attacker with many networks has as many buckets, and every isolate has its own: their sum is not
bounded.
"""

from __future__ import annotations

from enum import Enum

from lib.kernel.bounded import keep

BURST = 20
RATE = 1.0  # look-ups a second
WRONG_SECONDS = 10.0  # how long a key that was not found is refused unseen
MOST_NETWORKS = MOST_WRONG = MOST_RIGHT = 10_000
MOST_ADDRESS = 45  # characters of an IPv6 address


class Verdict(Enum):
    """What is to be done with a key that is not in memory."""

    LOOK_UP = "look up"
    WAIT = "wait"  # another request is looking the same key up
    WRONG = "wrong"  # it was not found a moment ago
    TOO_MANY = "too many"


class Shield:
    """What an isolate remembers of presented keys, by their hash, and of the networks that they come from.

    All of it is bounded: what was used longest ago makes room.
    """

    def __init__(self) -> None:
        self._right: dict[str, None] = {}
        self._wrong: dict[str, float] = {}
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens, and when there were so many
        self._asking: dict[str, None] = {}  # keys that are being looked up, each for a token

    def judge(self, network: str, key_hash: str, now: float, *, patient: bool = True) -> Verdict:
        """Tell what to do. After LOOK_UP, `found`, `not_found` or `failed` must follow.

        `patient`: the caller will come back after WAIT. One that has waited long enough looks it up itself.
        """
        if key_hash in self._right:
            return Verdict.LOOK_UP
        if self._wrong.get(key_hash, 0.0) > now:
            return Verdict.WRONG
        if patient and key_hash in self._asking:
            return Verdict.WAIT
        tokens = self._tokens(network, now)
        if tokens < 1:
            return Verdict.TOO_MANY
        keep(self._buckets, network, (tokens - 1, now), MOST_NETWORKS)
        keep(self._asking, key_hash, None, MOST_WRONG)
        return Verdict.LOOK_UP

    def found(self, network: str, key_hash: str, now: float) -> None:
        """The key is right: its token is given back, and it needs none again."""
        self.failed(network, key_hash, now)
        keep(self._right, key_hash, None, MOST_RIGHT)
        self._wrong.pop(key_hash, None)

    def not_found(self, key_hash: str, now: float) -> None:
        """The key is wrong, expired or revoked: for a while it is refused unseen."""
        self._asking.pop(key_hash, None)
        self._right.pop(key_hash, None)
        keep(self._wrong, key_hash, now + WRONG_SECONDS, MOST_WRONG)

    def failed(self, network: str, key_hash: str, now: float) -> None:
        """Nobody knows what the key is: the token is given back."""
        if key_hash in self._asking:
            del self._asking[key_hash]
            keep(self._buckets, network, (min(self._tokens(network, now) + 1, BURST), now), MOST_NETWORKS)

    def _tokens(self, network: str, now: float) -> float:
        tokens, since = self._buckets.get(network, (float(BURST), now))
        return min(BURST, tokens + max(0.0, now - since) * RATE)


def network_of(address: str | None) -> str:
    """Return the network of a client's address: /24 of IPv4, /48 of IPv6, which is what one subscriber may have.

    What is no address is one network of its own, `""`: without the platform's header all are.
    """
    if not address or len(address) > MOST_ADDRESS:
        return ""
    last = address.rpartition(":")[2]
    if "." in last:  # IPv4, also as an IPv6 address
        parts = last.split(".")
        whole = len(parts) == 4 and all(part.isascii() and part.isdigit() and len(part) <= 3 for part in parts)
        return ".".join(parts[:3]) if whole else ""
    return _ipv6_network(address)


def _ipv6_network(address: str) -> str:
    head, gap, tail = address.partition("::")
    front = head.split(":") if head else []
    back = tail.split(":") if tail else []
    zeros = 8 - len(front) - len(back)
    if (zeros < 1) if gap else (zeros != 0):
        return ""
    try:
        groups = [int(group, 16) for group in [*front, *["0"] * zeros, *back]]
    except ValueError:
        return ""
    return ":".join(f"{group:x}" for group in groups[:3])
