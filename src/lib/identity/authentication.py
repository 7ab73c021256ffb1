"""The second stage: who is it, and may they do this."""

from __future__ import annotations

import asyncio
from datetime import datetime

from lib.gateway.account import Account
from lib.http.errors import Forbidden, TooManyRequests, Unauthorized
from lib.http.request import Headers, RawRequest
from lib.http.route import Freshness, Route
from lib.identity import operator_tokens
from lib.identity.access import require
from lib.identity.credentials import Credential, Kind
from lib.identity.models import Principal
from lib.identity.policy import Attributes
from lib.identity.shield import Verdict, network_of
from lib.services import Services

_NO_OPERATOR = "This is for the deployment's operator. The token is missing, wrong or has ended."
_TOO_MANY = "Too many wrong keys come from your network. Try again."
# Written by Cloudflare's edge, whatever a client sends.
_ADDRESS = "cf-connecting-ip"
# How long a request waits for another that looks the same key up: two seconds in all.
_WAITS_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 0.8)


def require_operator(services: Services, raw: RawRequest) -> None:
    """Raise Unauthorized unless the request carries an operator's token. No key of an organisation will do."""
    scheme, _, token = (raw.headers.get("authorization") or "").partition(" ")
    genuine = operator_tokens.is_valid(token.strip(), services.config.secret, services.clock.now())
    if scheme.lower() != "bearer" or not genuine:
        raise Unauthorized(_NO_OPERATOR, code="invalid_operator_token")


async def authenticate(
    services: Services, route: Route, credential: Credential, headers: Headers
) -> Principal | Account:
    """Return the caller: its account on routes that a gate confirms, its principal elsewhere.

    Raises Unauthorized; TooManyRequests when so many wrong credentials come from its network that one which is not
    known yet is not looked up.
    """
    caller: Principal | Account | None = None
    if route.freshness is Freshness.GATE and credential.kind is not Kind.SESSION:
        caller = services.accounts.remembered(credential.name, services.clock.now())
    if caller is None:
        caller = await _look_up(services, route.freshness, credential, network_of(headers.get(_ADDRESS)))
    return caller


async def authorise(services: Services, route: Route, caller: Principal | Account, headers: Headers) -> None:
    """Raise Forbidden unless the caller may do this, from here. Only an account that its gate has confirmed is told so:
    what an old one may do, or is bound to, may have changed. Raises StaleAccount then.
    """
    if route.permission is None:
        return
    principal = caller.principal if isinstance(caller, Account) else caller
    from_where = Attributes(services.clock.now(), headers.get(_ADDRESS), headers.get("origin"))
    try:
        require(principal, route.permission, attributes=from_where)
    except Forbidden:
        if isinstance(caller, Account):
            await services.gateway.gates.confirm(caller)
        raise


async def _look_up(
    services: Services, freshness: Freshness, credential: Credential, network: str
) -> Principal | Account:
    """Find a caller that is not in memory, past the shield: see `lib.identity.shield`."""
    shield, clock, name = services.shield, services.clock, credential.name
    await _pass(services, credential, network)
    try:
        caller = await _find(services, freshness, credential)
    except BaseException:
        shield.failed(network, name, clock.now().timestamp())
        raise
    if caller is None:
        shield.not_found(name, clock.now().timestamp())
        raise credential.refusal
    shield.found(network, name, clock.now().timestamp())
    return caller


async def _pass(services: Services, credential: Credential, network: str) -> None:
    """Return when the credential may be looked up. Raises Unauthorized or TooManyRequests."""
    waits = iter(_WAITS_SECONDS)
    verdict, wait = Verdict.WAIT, 0.0
    while verdict is Verdict.WAIT:
        now = services.clock.now().timestamp()
        patient = (wait := next(waits, 0.0)) > 0
        verdict = services.shield.judge(network, credential.name, now, patient=patient)
        if verdict is Verdict.WAIT:
            await asyncio.sleep(wait)
    if verdict is Verdict.WRONG:
        raise credential.refusal
    if verdict is Verdict.TOO_MANY:
        raise TooManyRequests(_TOO_MANY, code="too_many_wrong_keys", headers={"retry-after": "1"})


async def _find(services: Services, freshness: Freshness, credential: Credential) -> Principal | Account | None:
    """Return the caller as the store knows it, or KV where a gate will confirm it; None when it has expired."""
    now = services.clock.now()
    if freshness is Freshness.GATE:
        account = await _account(services, credential, now)
        return account if account and not account.principal.expired(now) else None
    principal = await credential.find(services)
    return principal if principal and not principal.expired(now) else None


async def _account(services: Services, credential: Credential, now: datetime) -> Account | None:
    if credential.kind is Kind.KEY:
        return await services.accounts.find(services.database, credential.name, now)
    name = credential.name if credential.kind is Kind.TOKEN else None
    return await services.accounts.of_person(services.database, name, lambda: credential.find(services))
