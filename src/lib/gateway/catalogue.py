"""From the model that a client names to the provider, model and price behind it."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from lib.gateway.models import NO_LIMITS, Limits, ModelRoute, OutputField, Price
from lib.gateway.providers import Provider
from lib.http.errors import NotFound
from lib.identity.bounds import may_call


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes, what its tokens cost, and what its model takes and gives; None when nobody knows.

    `output_field` is the field that limits an answer's length; None: its format tells by the model's name.
    """

    provider: Provider
    upstream_model: str
    price: Price | None
    limits: Limits = NO_LIMITS
    output_field: OutputField | None = None


def resolve(
    model: str, routes: Mapping[str, ModelRoute], providers: Mapping[str, Provider], allowed: Set[str] | None
) -> Target:
    """Return the target of `model`: the organisation's own route of that name, else `provider/model`.

    Raises NotFound (code `model_not_found`), also for a model that is not among those that the caller's key is bound
    to: it may not know that there is one.
    """
    route = routes.get(model)
    provider_name, _, upstream_model = (route.provider, "/", route.upstream_model) if route else model.partition("/")
    provider = providers.get(provider_name)
    if provider is None or not upstream_model or not may_call(allowed, model):
        raise NotFound(
            "There is no such model here, or its provider is not configured.", code="model_not_found", param="model"
        )
    price, limits = provider.price(upstream_model), provider.limits(upstream_model)
    if route is None:
        return Target(provider, upstream_model, price, limits)
    return Target(provider, upstream_model, route.price or price, route.limits.over(limits), route.output_field)
