"""The most tokens that an image counts, by OpenAI's rules, whatever its size.

Source: https://platform.openai.com/docs/guides/images-vision#calculating-costs. Two rules:

- Tiles: the image is fitted into 2048 x 2048, then its short side into 768; each tile of 512 x 512 costs, and a base
  is added. That is at most 2 x 4 tiles. With detail `low` only the base counts.
- Patches of 32 x 32, scaled down to a budget of patches, times a factor. `low` is not heeded everywhere, so it is no
  less here. The factors that are stated and those that are billed differ (https://community.openai.com/t/1377015), so
  every patch counts with the largest of all, 2.46.
"""

from __future__ import annotations

import re

from lib.gateway.models import ImageRule

_MOST_TILES = 8


def _tiles(base: int, tile: int) -> ImageRule:
    most = base + _MOST_TILES * tile
    return ImageRule(base, most, most)


def _patches(high: int, original: int) -> ImageRule:
    most = -(-high * 246 // 100)
    return ImageRule(most, most, -(-original * 246 // 100))


_TILES = _tiles(85, 170)  # gpt-4o and others; o1 and o3 count 75 and 150
_MINI_TILES = _tiles(2833, 5667)  # gpt-4o-mini, whose price is lower by as much
_PATCHES = _patches(1536, 1536)
_FINE_PATCHES = _patches(2500, 10_000)
# gpt-4.1 is listed under both rules: 1536 patches without a factor, or tiles.
_TILES_OR_PATCHES = ImageRule(1536, 1536, 1536)

# The first that matches a model's name counts. A name may go on with a date, or with what comes after a hyphen here.
_RULES: tuple[tuple[str, ImageRule], ...] = (
    (r"gpt-4o-mini", _MINI_TILES),
    (r"gpt-4o|gpt-4-turbo|o1|o3", _TILES),
    (r"gpt-4\.1-(?:mini|nano)|o4-mini|gpt-5|gpt-5\.[123]", _PATCHES),
    (r"gpt-4\.1", _TILES_OR_PATCHES),
    (r"gpt-5\.[45]", _FINE_PATCHES),
)
_BY_NAME = tuple((re.compile(rf"(?:ft:)?(?:{names})(?:[-:].*)?"), rule) for names, rule in _RULES)


def image_rule(model: str) -> ImageRule | None:
    """Return the rule of one of OpenAI's models, or None where no rule of it is known."""
    return next((rule for name, rule in _BY_NAME if name.fullmatch(model)), None)
