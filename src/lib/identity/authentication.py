"""The second stage: who is it, and may they do this."""

from __future__ import annotations

from datetime import datetime

from lib.gateway.account import Account
from lib.http.errors import Forbidden, Unauthorized
from lib.http.request import Headers, RawRequest
from lib.http.route import Freshness, Route
from lib.identity import operator_tokens
from lib.identity.access import require
from lib.identity.credentials import Credential, Kind
from lib.identity.look_up import look_up
from lib.identity.models import Principal
from lib.identity.policy import Attributes
from lib.identity.shield import network_of
from lib.services import Services

_NO_OPERATOR = "This is for the deployment's operator. The token is missing, wrong or has ended."
# Written by Cloudflare's edge, whatever a client sends.
_ADDRESS = "cf-connecting-ip"


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
    if route.freshness is Freshness.GATE and credential.kind is not Kind.SESSION:
        known = services.accounts.remembered(credential.name, services.clock.now())
        if known is not None:
            return known

    async def find() -> Principal | Account | None:
        return await _find(services, route.freshness, credential)

    network = network_of(headers.get(_ADDRESS))
    return await look_up(services, network, credential.name, find, credential.refusal())


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
        return await services.accounts.find(services.database, credential.name, now, credential.older)
    name = credential.name if credential.kind is Kind.TOKEN else None
    return await services.accounts.of_person(services.database, name, lambda: credential.find(services))
