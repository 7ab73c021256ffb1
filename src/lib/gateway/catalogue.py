"""From the model that a client names to the provider, model and price behind it."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import replace
from typing import NamedTuple

from lib.access.bounds import may_call
from lib.gateway.model_lists import ModelLists
from lib.gateway.models import ModelFacts, ModelRoute
from lib.gateway.providers.provider import Provider
from lib.kernel.errors import NotFound

MOST_MEANT = 3
# Comparing costs some 10 µs a name: only names that begin alike are compared, and not more than these.
_ALIKE = 2
_MOST_COMPARED = 100


class Candidate(NamedTuple):
    """Where a request goes, and what is known of the model there: by its organisation, else by its provider."""

    provider: Provider
    upstream_model: str
    facts: ModelFacts


def resolve(
    model: str, routes: Mapping[str, ModelRoute], providers: Mapping[str, Provider], allowed: Set[str] | None
) -> Candidate:
    """Return the target of `model`: the organisation's own route of that name, else `provider/model`.

    Raises NotFound (code `model_not_found`), also for a model that is not among those that the caller's key is bound
    to: it may not know that there is one.
    """
    route = routes.get(model)
    provider_name, _, upstream_model = (route.provider, "/", route.upstream_model) if route else model.partition("/")
    provider = providers.get(provider_name)
    if provider is None or not upstream_model or not may_call(allowed, model):
        raise _not_found(())
    facts = provider.model(upstream_model)
    return Candidate(provider, upstream_model, _said_by(route, facts) if route else facts)


def _said_by(route: ModelRoute, facts: ModelFacts) -> ModelFacts:
    return replace(
        facts,
        price=route.price or facts.price,
        limits=route.limits.over(facts.limits),
        proved=route.limits.over(facts.proved),
        output_field=route.output_field or facts.output_field,
    )


async def find(
    model: str,
    routes: Mapping[str, ModelRoute],
    providers: Mapping[str, Provider],
    allowed: Set[str] | None,
    lists: ModelLists,
) -> tuple[str, Candidate]:
    """Return a model's whole name and its target. The end of a name will do, where it is one name's that the caller may
    call: `gpt-4o` for `openai/gpt-4o`. Rules and records go by the whole name.

    Of several the one with the fewest slashes is meant, since resellers put the maker before a model's name
    (`openrouter/openai/gpt-4o`), and of these the one of a vendor's first account (`openai`, not `openai-eu`).

    Raises NotFound as `resolve` does; it says which names may have been meant.
    """
    try:
        return model, resolve(model, routes, providers, allowed)
    except NotFound:
        names = await names_of(routes, providers, allowed, lists)
    ending = [name for name in names if name.endswith(f"/{model}")] if model else []
    nearest = _least(_least(ending, lambda name: name.count("/")), lambda name: names[name].is_further)
    if len(nearest) == 1:
        return nearest[0], resolve(nearest[0], routes, providers, allowed)
    raise _not_found(sorted(ending)[:MOST_MEANT] or _meant(model, names))


async def names_of(
    routes: Mapping[str, ModelRoute],
    providers: Mapping[str, Provider],
    allowed: Set[str] | None,
    lists: ModelLists,
) -> Mapping[str, Provider]:
    """Return the names that are known and lead somewhere, with whose they are: the organisation's own first.

    Where a key is bound to models, those of them that lead somewhere, known or not.
    """
    if allowed is not None:
        bound = [name for name in routes if name in allowed] + sorted(allowed - set(routes))
        candidates = ((name, _candidate(name, routes, providers)) for name in bound)
        return {name: target.provider for name, target in candidates if target}
    names = {name: providers[route.provider] for name, route in routes.items() if route.provider in providers}
    listed = await asyncio.gather(*(lists.of(provider) for provider in providers.values()))
    for provider, theirs in zip(providers.values(), listed, strict=True):
        for name in theirs:
            names.setdefault(f"{provider.name}/{name}", provider)
    return names


def _least(names: list[str], rank: Callable[[str], int]) -> list[str]:
    least = min(map(rank, names), default=0)
    return [name for name in names if rank(name) == least]


def _candidate(name: str, routes: Mapping[str, ModelRoute], providers: Mapping[str, Provider]) -> Candidate | None:
    try:
        return resolve(name, routes, providers, None)
    except NotFound:
        return None


def _not_found(meant: Iterable[str]) -> NotFound:
    """Return the error. It holds names that exist and never the one that was asked for, which may be anything."""
    hint = f" Did you mean {' or '.join(meant)}?" if meant else ""
    return NotFound(
        f"There is no such model here, or its provider is not configured.{hint}",
        code="model_not_found",
        param="model",
    )


def _meant(model: str, names: Iterable[str]) -> list[str]:
    """Return the known names that look most like one that is not: without the vendor before it, whatever its case."""
    asked = _last(model)
    by_last: dict[str, str] = {}
    for name in names:
        last = _last(name)
        if last[:_ALIKE] == asked[:_ALIKE] and len(by_last) < _MOST_COMPARED:
            by_last.setdefault(last, name)
    return [by_last[last] for last in difflib.get_close_matches(asked, by_last, MOST_MEANT)]


def _last(name: str) -> str:
    return name.rpartition("/")[2].lower()
