"""The second stage: who is it, and may they do this."""

from __future__ import annotations

import asyncio

from lib.gateway.account import Account
from lib.http.errors import Forbidden, TooManyRequests, Unauthorized
from lib.http.request import Headers, RawRequest
from lib.http.route import Freshness, Route
from lib.identity import api_keys, bounds, key_store, operator_tokens
from lib.identity.models import Principal
from lib.identity.shield import Verdict, network_of
from lib.services import Services

_MISSING = "You didn't provide an API key. Send it as `Authorization: Bearer YOUR_KEY`."
_NO_OPERATOR = "This is for the deployment's operator. The token is missing, wrong or has ended."
_WRONG = "The API key is wrong, expired or revoked."
_TOO_MANY = "Too many wrong API keys come from your network. Try again."
# How long a request waits for another that looks the same key up: two seconds in all.
_WAITS_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 0.8)


def credential(raw: RawRequest) -> str:
    """Return the API key that a request carries. Raises Unauthorized where there is none, or nothing that can be one.

    The shape is checked before anything is read or asked: an invented key costs us nothing.
    """
    header = raw.headers.get("authorization")
    if not header:
        raise Unauthorized(_MISSING, code="missing_api_key")
    scheme, _, key = header.partition(" ")
    if scheme.lower() != "bearer" or not api_keys.is_key(key.strip()):
        raise Unauthorized(_WRONG)
    return key.strip()


def require_operator(services: Services, raw: RawRequest) -> None:
    """Raise Unauthorized unless the request carries an operator's token. No key of an organisation will do."""
    scheme, _, token = (raw.headers.get("authorization") or "").partition(" ")
    genuine = operator_tokens.is_valid(token.strip(), services.config.secret, services.clock.now())
    if scheme.lower() != "bearer" or not genuine:
        raise Unauthorized(_NO_OPERATOR, code="invalid_operator_token")


async def authenticate(services: Services, route: Route, key: str, headers: Headers) -> Principal | Account:
    """Return the caller: its account on routes that a gate confirms, its principal elsewhere.

    Raises Unauthorized, or Forbidden when the key lacks the route's permission; TooManyRequests when so many wrong keys
    come from the caller's network that a key which is not known yet is not looked up.
    """
    key_hash = api_keys.key_hash(key, services.pepper)
    caller: Principal | Account | None = None
    if route.freshness is Freshness.GATE:
        caller = services.accounts.remembered(key_hash, services.clock.now())
    if caller is None:
        caller = await _look_up(services, route.freshness, key_hash, network_of(headers.get(bounds.ADDRESS)))
    principal = caller.principal if isinstance(caller, Account) else caller
    if route.permission is not None and not principal.may(route.permission):
        raise Forbidden(f"This key lacks the scope {route.permission}.")
    await _check_bounds(services, caller, principal, headers)
    return caller


async def _check_bounds(
    services: Services, caller: Principal | Account, principal: Principal, headers: Headers
) -> None:
    """Raise Forbidden where the key may not be used from here. Only an account that its gate has confirmed is told so:
    what an old one is bound to may have changed. Raises StaleAccount then.
    """
    try:
        bounds.check(principal, headers)
    except Forbidden:
        if isinstance(caller, Account):
            await services.gateway.gates.confirm(caller)
        raise


async def _look_up(services: Services, freshness: Freshness, key_hash: str, network: str) -> Principal | Account:
    """Find a caller that is not in memory, past the shield: see `lib.identity.shield`."""
    shield, clock = services.shield, services.clock
    await _pass(services, key_hash, network)
    try:
        caller = await _find(services, freshness, key_hash)
    except BaseException:
        shield.failed(network, key_hash, clock.now().timestamp())
        raise
    if caller is None:
        shield.not_found(key_hash, clock.now().timestamp())
        raise Unauthorized(_WRONG)
    shield.found(network, key_hash, clock.now().timestamp())
    return caller


async def _pass(services: Services, key_hash: str, network: str) -> None:
    """Return when the key may be looked up. Raises Unauthorized or TooManyRequests."""
    waits = iter(_WAITS_SECONDS)
    verdict, wait = Verdict.WAIT, 0.0
    while verdict is Verdict.WAIT:
        now = services.clock.now().timestamp()
        patient = (wait := next(waits, 0.0)) > 0
        verdict = services.shield.judge(network, key_hash, now, patient=patient)
        if verdict is Verdict.WAIT:
            await asyncio.sleep(wait)
    if verdict is Verdict.WRONG:
        raise Unauthorized(_WRONG)
    if verdict is Verdict.TOO_MANY:
        raise TooManyRequests(_TOO_MANY, code="too_many_wrong_keys", headers={"retry-after": "1"})


async def _find(services: Services, freshness: Freshness, key_hash: str) -> Principal | Account | None:
    """Return the caller as the store knows it, or KV where a gate will confirm it; None when it has expired."""
    now = services.clock.now()
    if freshness is Freshness.GATE:
        account = await services.accounts.find(services.database, key_hash, now)
        return account if account and not account.principal.expired(now) else None
    principal = await key_store.find_principal(services.database, key_hash)
    return principal if principal and not principal.expired(now) else None
