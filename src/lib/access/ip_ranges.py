"""IP addresses and ranges (CIDR, RFC 4632 and RFC 4291), as a key is limited to them. No I/O.

An IPv4 address inside an IPv6 one (`::ffff:192.0.2.1`) is that IPv4 address: else a range could be got around by
writing the address in the other way. Where there are two ways to read a text, it is refused: no zeros in front of an
octet, no bits behind the prefix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

MOST_RANGE = 49  # characters: the longest IPv6 address (45), a slash and three digits

_OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}")
_GROUP = re.compile(r"[0-9a-fA-F]{1,4}")
_PREFIX = re.compile(r"0|[1-9][0-9]{0,2}")
_MAPPED = 0xFFFF  # the 96 bits in front of an IPv4 address inside an IPv6 one


@dataclass(frozen=True, slots=True)
class Range:
    """All addresses of `bits` (32 or 128) that begin with the first `prefix` bits of `value`."""

    bits: int
    value: int
    prefix: int

    def holds(self, other: Range) -> bool:
        """Tell whether all of another range is in this one."""
        return (
            self.bits == other.bits
            and self.prefix <= other.prefix
            and (self.value ^ other.value) >> (self.bits - self.prefix) == 0
        )


def parse_address(text: str) -> Range | None:
    """Return an address as the range of it alone; None where the text is none."""
    return _parse(text) if "/" not in text else None


@lru_cache(2_000)
def parse_range(text: str) -> Range:
    """Return a range, as `192.0.2.0/24` or `2001:db8::/32`, or one address. Raises ValueError that says what is wrong.

    Remembered: a key's ranges are looked at in each of its requests.
    """
    found = _parse(text)
    if found is None:
        raise ValueError("an IP range is an address, or an address and a prefix length, as 192.0.2.0/24")
    if found.value & ((1 << (found.bits - found.prefix)) - 1):
        raise ValueError("an IP range has bits behind its prefix")
    return found


def _parse(text: str) -> Range | None:
    if len(text) > MOST_RANGE:
        return None
    address, slash, length = text.partition("/")
    found = _ipv4(address) if ":" not in address else _ipv6(address)
    if found is None or not slash:
        return _mapped(found) if found else None
    if not _PREFIX.fullmatch(length) or int(length) > found.bits:
        return None
    return _mapped(Range(found.bits, found.value, int(length)))


def _mapped(found: Range) -> Range:
    """Return the IPv4 range that an IPv6 one is, where it is one."""
    if found.bits == 128 and found.prefix >= 96 and found.value >> 32 == _MAPPED:
        return Range(32, found.value & 0xFFFFFFFF, found.prefix - 96)
    return found


def _ipv4(text: str) -> Range | None:
    octets = _IPV4.fullmatch(text)
    return Range(32, int.from_bytes(bytes(int(octet) for octet in octets.groups())), 32) if octets else None


def _ipv6(text: str) -> Range | None:
    head, gap, tail = text.partition("::")
    front, back = _groups(head, last=not gap), _groups(tail, last=True)
    if front is None or back is None:
        return None
    zeros = 8 - len(front) - len(back)
    if (zeros < 1) if gap else (zeros != 0):
        return None
    value = 0
    for group in [*front, *[0] * zeros, *back]:
        value = value << 16 | group
    return Range(128, value, 128)


def _groups(text: str, *, last: bool) -> list[int] | None:
    """Return the 16-bit groups of a part of an IPv6 address; the last part may end in an IPv4 address."""
    if not text:
        return []
    parts = text.split(":")
    end: list[int] = []
    if last and "." in parts[-1]:
        ipv4 = _ipv4(parts.pop())
        if ipv4 is None:
            return None
        end = [ipv4.value >> 16, ipv4.value & 0xFFFF]
    if not all(_GROUP.fullmatch(part) for part in parts):
        return None
    return [*(int(part, 16) for part in parts), *end]
