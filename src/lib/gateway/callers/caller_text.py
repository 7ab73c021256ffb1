"""An account as a text in KV: no secret, and no more than what the AI API must know of a caller."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

from lib.access.principal import Principal
from lib.gateway.callers.caller import Caller
from lib.gateway.models import Limits, ModelRoute, OutputField
from lib.ledger.usage import Price

FORM = 5  # another form than this one is not read, so that a deployment may change it


def account_name(key_hash: str) -> str:
    """Return the name in KV of a key's account. The hash is keyed: nobody can tell the key from it."""
    return f"account:{key_hash}"


def to_text(account: Caller, routes: str | None = None) -> str:
    """Write an account, with its models as `routes_text` writes them. Its version must be known."""
    caller = account.principal
    ends = caller.expires_at.isoformat() if caller.expires_at else None
    key = [caller.org_id, caller.key_id, sorted(caller.scopes), ends, caller.kind, caller.user_id, caller.team_id]
    bounds = [_list(caller.models), _list(caller.ip_ranges), _list(caller.origins), caller.end_user]
    bounds += [caller.line_id, caller.makers, caller.member_of]
    return f"{_text([FORM, account.version, key, bounds])[:-1]},{routes or routes_text(account.routes)}]"


def routes_text(routes: Mapping[str, ModelRoute]) -> str:
    """Write an organisation's models, as they stand in the text of each of its accounts."""
    return _text([_listed(route) for route in routes.values()])


def _text(parts: list[Any]) -> str:
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))


def from_text(
    text: str, key_hash: str, shared: Callable[[str, int], Mapping[str, ModelRoute] | None] = lambda *_: None
) -> Caller | None:
    """Read an account; None when it can't be read, or has another form.

    `shared` returns the models of an organisation at a version where they are in memory already.
    """
    try:
        form, version, key, bounds, routes = json.loads(text)
        if form != FORM or not isinstance(version, int):
            return None
        principal = _principal(*key, *bounds)
        known = shared(principal.org_id, version)
        return Caller(principal, known or {route[0]: _route(*route) for route in routes}, version, key_hash)
    except (ValueError, TypeError, IndexError):
        return None


def _principal(
    org_id: str,
    key_id: str,
    scopes: list[str],
    ends: str | None,
    kind: Literal["key", "browser_key"],
    user_id: str | None,
    team_id: str | None,
    models: list[str] | None,
    ip_ranges: list[str] | None,
    origins: list[str] | None,
    end_user: str | None,
    line_id: str | None,
    makers: str,
    member_of: str,
) -> Principal:
    return Principal(
        org_id,
        key_id,
        frozenset(scopes),
        datetime.fromisoformat(ends) if ends else None,
        user_id=user_id,
        team_id=team_id,
        kind=kind,
        models=_set(models),
        ip_ranges=_set(ip_ranges),
        origins=_set(origins),
        end_user=end_user,
        line_id=line_id,
        makers=makers,
        member_of=member_of,
    )


def _list(texts: frozenset[str] | None) -> list[str] | None:
    return None if texts is None else sorted(texts)


def _set(texts: list[str] | None) -> frozenset[str] | None:
    return None if texts is None else frozenset(texts)


def _price(price: Price | None) -> list[object] | None:
    return [price.input, price.output, price.cached_input, price.version, price.per_request] if price else None


def _listed(route: ModelRoute) -> list[object]:
    limits = [route.limits.most_input, route.limits.most_output, route.output_field]
    return [route.id, route.provider, route.upstream_model, _price(route.price), *limits]


def _route(
    name: str,
    provider: str,
    upstream_model: str,
    price: list[Any] | None,
    most_input: int | None,
    most_output: int | None,
    output_field: OutputField | None,
) -> ModelRoute:
    limits = Limits(most_input, most_output)
    return ModelRoute(name, provider, upstream_model, Price(*price) if price else None, limits, output_field)
