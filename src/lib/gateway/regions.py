"""Where a request comes from, as one of the places that Cloudflare takes as hints for Durable Objects.

https://developers.cloudflare.com/durable-objects/reference/data-location/ lists them. A request says its continent,
country and longitude (https://developers.cloudflare.com/workers/runtime-apis/request/#incomingrequestcfproperties).
"""

from __future__ import annotations

REGIONS = frozenset({"wnam", "enam", "sam", "weur", "eeur", "apac", "oc", "afr", "me"})

_CONTINENTS = {"AF": "afr", "AS": "apac", "OC": "oc", "SA": "sam"}
_MIDDLE_EAST = frozenset(["AE", "BH", "IL", "IQ", "IR", "JO", "KW", "LB", "OM", "PS", "QA", "SA", "SY", "TR", "YE"])
# East of it begins the other half of a continent: at about Denver, and at about Vienna.
_HALVES = {"NA": ("wnam", -104.0, "enam"), "EU": ("weur", 16.0, "eeur")}


def region_of(continent: object, country: object, longitude: object) -> str | None:
    """Return the region of a request; None where it does not say enough. Nothing that it says is taken on trust but
    for speed: whatever region a call is decided in, no cap is passed.
    """
    if country in _MIDDLE_EAST:
        return "me"
    if continent in _CONTINENTS:
        return _CONTINENTS[str(continent)]
    if continent not in _HALVES:
        return None
    west, border, east = _HALVES[str(continent)]
    try:
        return east if float(str(longitude)) > border else west
    except ValueError:  # few requests lack it
        return east if continent == "NA" else west
