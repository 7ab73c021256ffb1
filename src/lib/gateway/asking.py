"""What a call asks of the gate: its path, its upper bound, and what its tokens cost."""

from __future__ import annotations

from lib.admission.decision import Ask
from lib.gateway.bounds import Bound
from lib.gateway.catalogue import Target


def path_of(
    org_id: str,
    key_id: str,
    model: str,
    end_user: str | None,
    *,
    team_id: str | None = None,
    user_id: str | None = None,
) -> dict[str, str]:
    """Return the levels that a call passes: whose its key is, as far as that is known, and for whom it is made."""
    others = {"team": team_id, "user": user_id, "end_user": end_user}
    known = {level: who for level, who in others.items() if who is not None}
    return {"org": org_id, "key": key_id, "model": model, **known}


def ask_of(
    path: dict[str, str], target: Target, bound: Bound, input_estimate: int, floor: int, tier: str | None = None
) -> Ask:
    """Return what to ask for. `floor` is the least output worth having, in tokens; `tier` the service tier."""
    model, provider, price = target.upstream_model, target.provider, target.price
    most_output = provider.most_output(model)
    wanted = _least(bound.wanted_output, most_output) if bound.wanted_output is not None else None
    tokens = None if bound.input_tokens is None else _least(bound.input_tokens, provider.most_input(model))
    rates = price.most(tier, tokens) if price else None
    if price and rates is None:  # nobody knows what this tier costs: all the same, the rest is bounded
        tokens, rates = None, price.most(None, None)
    return Ask(
        path=path,
        estimate=input_estimate + (wanted or 0) * bound.choices,
        # A provider refuses more than its model takes. Where nothing is proved, more than tokens may be charged.
        input_tokens=tokens,
        output_tokens=wanted if bound.has_output else 0,
        most_output=most_output,
        choices=bound.choices,
        floor=floor,
        input_price=max(rates.input, rates.cached_input, rates.cache_write) if rates else None,
        output_price=rates.output if rates else None,
        call_price=(price.per_request or 0) if price else 0,
    )


def _least(bound: int, most: int | None) -> int:
    return bound if most is None else min(bound, most)
