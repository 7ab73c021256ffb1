"""The second stage: who is it, and may they do this."""

from __future__ import annotations

from datetime import datetime

from lib.access.access import require
from lib.access.policy import Attributes
from lib.access.principal import Principal
from lib.defence.look_up import look_up
from lib.defence.shield import network_of
from lib.gateway.callers.caller import Caller
from lib.http.request import Headers, RawRequest
from lib.kernel.errors import Forbidden, Unauthorized
from lib.secrets import operator_tokens
from lib.web.app import App
from lib.web.credentials import Credential, Kind
from lib.web.route import Freshness, Route

_NO_OPERATOR = "This is for the deployment's operator. The token is missing, wrong or has ended."
# Written by Cloudflare's edge, whatever a client sends.
_ADDRESS = "cf-connecting-ip"


def require_operator(parts: App, raw: RawRequest) -> None:
    """Raise Unauthorized unless the request carries an operator's token. No key of an organisation will do."""
    scheme, _, token = (raw.headers.get("authorization") or "").partition(" ")
    genuine = operator_tokens.is_valid(token.strip(), parts.config.secret, parts.clock.now())
    if scheme.lower() != "bearer" or not genuine:
        raise Unauthorized(_NO_OPERATOR, code="invalid_operator_token")


async def authenticate(parts: App, route: Route, credential: Credential, headers: Headers) -> Principal | Caller:
    """Return the caller: its account on routes that a gate confirms, its principal elsewhere.

    Raises Unauthorized; TooManyRequests when so many wrong credentials come from its network that one which is not
    known yet is not looked up.
    """
    if route.freshness is Freshness.GATE and credential.kind is not Kind.SESSION:
        known = parts.callers.remembered(credential.name, parts.clock.now())
        if known is not None:
            return known

    async def find() -> Principal | Caller | None:
        return await _find(parts, route.freshness, credential)

    network = network_of(headers.get(_ADDRESS))
    return await look_up(parts, network, credential.name, find, credential.refusal())


async def authorise(parts: App, route: Route, caller: Principal | Caller, headers: Headers) -> None:
    """Raise Forbidden unless the caller may do this, from here. Only an account that its gate has confirmed is told so:
    what an old one may do, or is bound to, may have changed. Raises StaleAccount then.
    """
    if route.permission is None:
        return
    principal = caller.principal if isinstance(caller, Caller) else caller
    from_where = Attributes(parts.clock.now(), headers.get(_ADDRESS), headers.get("origin"))
    try:
        require(principal, route.permission, attributes=from_where)
    except Forbidden:
        if isinstance(caller, Caller):
            await parts.gateway.gates.confirm(caller)
        raise


async def _find(parts: App, freshness: Freshness, credential: Credential) -> Principal | Caller | None:
    """Return the caller as the store knows it, or KV where a gate will confirm it; None when it has expired."""
    now = parts.clock.now()
    if freshness is Freshness.GATE:
        account = await _account(parts, credential, now)
        return account if account and not account.principal.expired(now) else None
    principal = await credential.find(parts)
    return principal if principal and not principal.expired(now) else None


async def _account(parts: App, credential: Credential, now: datetime) -> Caller | None:
    if credential.kind is Kind.KEY:
        return await parts.callers.find(parts.database, credential.name, now, credential.older)
    name = credential.name if credential.kind is Kind.TOKEN else None
    return await parts.callers.of_person(parts.database, name, lambda: credential.find(parts))
