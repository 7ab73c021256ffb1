"""Where a request comes from, as Cloudflare's hints for Durable Objects have it."""

from __future__ import annotations

import pytest

from lib.gateway.regions import REGIONS, region_of


@pytest.mark.parametrize(
    ("continent", "country", "longitude", "region"),
    [
        ("EU", "DE", "8.68", "weur"), ("EU", "PL", "21.01", "eeur"), ("EU", "DE", None, "weur"),
        ("EU", "DE", "x", "weur"),
        ("NA", "US", "-77.48", "enam"), ("NA", "US", "-122.41", "wnam"), ("NA", "CA", None, "enam"),
        ("SA", "BR", "-46.6", "sam"), ("AF", "ZA", "28.0", "afr"), ("OC", "AU", "151.2", "oc"),
        ("AS", "JP", "139.7", "apac"), ("AS", "AE", "55.3", "me"), ("AS", "IL", "34.8", "me"),
        ("AN", "AQ", "0", None), ("", "", "", None), (None, None, None, None), (1, 2, 3, None),
        ("EU@x", "DE", "1", None), ("eu", "DE", "1", None), ("T1", "T1", None, None),
    ],
    ids=str,
)  # fmt: skip
def test_a_place_has_a_region_or_none(
    continent: object, country: object, longitude: object, region: str | None
) -> None:
    """Whatever a request says, it is one of the hints, or none: the name of an object is made of it."""
    assert region_of(continent, country, longitude) == region
    assert region is None or region in REGIONS
