"""What a call asks of the gate: its path, its upper bound, and what its tokens cost."""

from __future__ import annotations

from lib.access.principal import Principal
from lib.admission.decision import Ask
from lib.gateway.bounds import Bound
from lib.gateway.catalogue import Candidate

_ID = 36  # characters of an id


def path_of(
    org_id: str,
    key_id: str,
    model: str,
    end_user: str | None,
    team_id: str | None = None,
    user_id: str | None = None,
    makers: str = "",
    member_of: str = "",
    *,
    minted: bool = False,
) -> dict[str, str]:
    """Return the levels that a call passes, as far as they are known: see `lib.admission.rules`.

    `key_id` is what its key counts as. `makers` and `member_of` are ids with a space between them, the nearest maker
    first: of a `minted` key, the one that minted it. A team counts a call once, also where the key is in it.
    """
    path = {"org": org_id, "key": key_id, "model": model}
    if team_id is not None:
        path["team"] = team_id
    if user_id is not None:
        path["user"] = user_id
    if end_user is not None:
        path["end_user"] = end_user
    if minted and makers:
        path["minter"], makers = makers[:_ID], makers[_ID + 1 :]
    if makers:
        path["makers"] = makers
    if member_of and team_id is not None:
        member_of = " ".join(team for team in member_of.split(" ") if team != team_id)
    if member_of:
        path["member_of"] = member_of
    return path


def callers_path(principal: Principal, model: str, end_user: str | None) -> dict[str, str]:
    """Return the levels that a caller's call passes; `end_user` is whom it is made for, where the key does not say."""
    return path_of(
        *(principal.org_id, principal.line_id or principal.key_id, model, principal.end_user or end_user),
        *(principal.team_id, principal.user_id, principal.makers, principal.member_of),
        minted=principal.kind == "browser_key",
    )


def ask_of(
    path: dict[str, str], target: Candidate, bound: Bound, input_estimate: int, floor: int, tier: str | None = None
) -> Ask:
    """Return what to ask for. `floor` is the least output worth having, in tokens; `tier` the service tier."""
    proved, price = target.facts.proved, target.facts.price
    wanted = _least(bound.wanted_output, proved.most_output) if bound.wanted_output is not None else None
    tokens = None if bound.input_tokens is None else _least(bound.input_tokens, proved.most_input)
    rates = price.most(tier, tokens) if price else None
    if price and rates is None:  # nobody knows what this tier costs: all the same, the rest is bounded
        tokens, rates = None, price.most(None, None)
    output = wanted if bound.has_output else 0
    # A provider refuses more than its model takes. Where nothing is proved, more than tokens may be charged.
    dearest = max(rates.input, rates.cached_input, rates.cache_write) if rates else None
    prices = dearest, rates.output if rates else None, (price.per_request or 0) if price else 0
    most, estimate = _most_granted(target, bound, input_estimate), input_estimate + (wanted or 0) * bound.choices
    return Ask(path, estimate, tokens, output, most, bound.choices, floor, *prices)


def _most_granted(target: Candidate, bound: Bound, input_estimate: int) -> int:
    """Return the most output to put in where the client set no limit: what the model has, and no provider refuses.

    The proved input can be several times the real one, so what it leaves of the context may be far too little. Then
    half of what the estimate leaves is taken. Where nothing is left, the provider says so better than we could.
    """
    limits = target.facts.limits
    most = target.provider.default_output if limits.most_output is None else limits.most_output
    if limits.most_input is None:
        return most
    proved = limits.most_input - (limits.most_input if bound.input_tokens is None else bound.input_tokens)
    likely = (limits.most_input - input_estimate) // 2
    return min(most, max(1, proved, likely))


def _least(bound: int, most: int | None) -> int:
    return bound if most is None else min(bound, most)
