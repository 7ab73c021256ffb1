"""What a key is bound to beside its scopes: models, IP ranges, origins, and an end user. Pure: no I/O.

None means: not bound. A key bound to nothing at all (an empty set) may do nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace

from lib.access.ip_ranges import parse_range
from lib.access.principal import Principal
from lib.kernel.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a key is bound to. Models are as clients name them, origins as browsers send them."""

    models: frozenset[str] | None = None
    ip_ranges: frozenset[str] | None = None
    origins: frozenset[str] | None = None

    def within(self, maker: Principal) -> Bounds:
        """Return the bounds of a key that `maker` makes: where they say nothing, the maker's own.

        Raises Forbidden where they are wider than those.
        """
        bounds = replace(
            self,
            models=maker.models if self.models is None else self.models,
            ip_ranges=maker.ip_ranges if self.ip_ranges is None else self.ip_ranges,
            origins=maker.origins if self.origins is None else self.origins,
        )
        require_within(maker, bounds)
        return bounds


UNBOUND = Bounds()


def require_within(maker: Principal, bounds: Bounds, *, from_anywhere: bool = False) -> None:
    """Raise Forbidden unless a key of these bounds gives no more than `maker` has.

    `from_anywhere`: its IP ranges may be others.
    """
    for what, own, other in (
        ("models", maker.models, bounds.models),
        ("origins", maker.origins, bounds.origins),
    ):
        if own is not None and (other is None or not other <= own):
            raise Forbidden(f"Your key is bound to {what}, so it can't manage a key that has others.")
    if not from_anywhere and maker.ip_ranges is not None and not _covered(bounds.ip_ranges, maker.ip_ranges):
        raise Forbidden("Your key is bound to IP ranges, so it can't manage a key that works from elsewhere.")


def may_call(models: Set[str] | None, model: str) -> bool:
    """Tell whether a key that is bound to `models` may call a model, by the name that the client gives."""
    return models is None or model in models


def allowed_origin(principal: Principal, origin: str | None) -> str | None:
    """Return the origin of a page that may use this key and read its answers; None for any other."""
    return origin if origin is not None and principal.origins is not None and origin in principal.origins else None


def _covered(inner: Iterable[str] | None, outer: Iterable[str]) -> bool:
    """Tell whether each of the inner ranges is in one of the outer ones."""
    around = [parse_range(one) for one in outer]
    return inner is not None and all(any(each.holds(parse_range(one)) for each in around) for one in inner)
