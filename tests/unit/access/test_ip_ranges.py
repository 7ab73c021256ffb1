"""IP ranges: what they hold, and that an address has one reading, however it is written."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.access.ip_ranges import parse_address, parse_range

V4 = st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address)
V6 = st.integers(0, 2**128 - 1).map(ipaddress.IPv6Address).filter(lambda each: each.ipv4_mapped is None)
MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")  # IPv4 addresses inside IPv6 ones: a test of their own
NETWORKS = st.one_of(
    st.tuples(V4, st.integers(0, 32)).map(lambda each: ipaddress.ip_network(each, strict=False)),
    st.tuples(V6, st.integers(0, 128))
    .map(lambda each: ipaddress.ip_network(each, strict=False))
    .filter(lambda each: not each.overlaps(MAPPED)),
)


def holds(network: str, address: str) -> bool:
    found = parse_address(address)
    return found is not None and parse_range(network).holds(found)


@given(NETWORKS, st.one_of(V4, V6))
def test_a_range_holds_what_the_standard_library_says(network: ipaddress.IPv4Network, address: object) -> None:
    """IPv4 and IPv6, each by itself: no address of one is in a range of the other."""
    assert holds(str(network), str(address)) == (address in network)
    assert holds(str(network), str(network[-1]))
    assert holds(str(network), str(network[0]))


@given(V6)
def test_each_spelling_is_the_same_address(address: ipaddress.IPv6Address) -> None:
    """Short and long, with capitals or not."""
    short, long = parse_address(str(address)), parse_address(address.exploded.upper())
    assert short == long is not None


@pytest.mark.parametrize("spelling", ["::ffff:192.0.2.7", "::FFFF:c000:207", "0:0:0:0:0:ffff:192.0.2.7"])
def test_an_ipv4_address_inside_an_ipv6_one_is_that_address(spelling: str) -> None:
    """Else a range could be got around by writing the address in the other way."""
    assert holds("192.0.2.0/24", spelling)
    assert holds("::ffff:192.0.2.0/120", "192.0.2.7")
    assert not holds("::/0", spelling)


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "10", "10.0.0", "10.0.0.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.-1", "1e1.0.0.1", "0x0a.0.0.1"),
        *("10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/1_0", "10.0.0.1/8"),
        *(":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "g::", "12345::", "::1%e"),
        *(
            "::10.0.0.256",
            "10.0.0.1::",
            "2001:db8::/129",
            "2001:db8::1/64",
            "\uff11\uff10.0.0.1",
            "10.0.0.0\n",
            " 10.0.0.0",
        ),
        "0" * 60,
    ],
)
def test_what_is_no_range_is_refused(text: str) -> None:
    """Also what some readers take in two ways: zeros in front, bits behind the prefix, a zone."""
    with pytest.raises(ValueError, match="IP range"):
        parse_range(text)


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    """What is read is an address to others too; the rest is none."""
    found = parse_address(text)
    if found is not None:
        assert ipaddress.ip_address(text) is not None


def test_a_range_is_no_address() -> None:
    """A client's address that says it is a whole network would be in every range that it covers."""
    assert parse_address("10.0.0.0/8") is None
    assert not parse_range("10.0.0.0/16").holds(parse_range("10.0.0.0/8"))
    assert parse_range("10.0.0.0/8").holds(parse_range("10.1.0.0/16"))
