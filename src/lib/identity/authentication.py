"""The second stage: who is it, and may they do this."""

from __future__ import annotations

from lib.gateway.account import Account
from lib.http.errors import Forbidden, Unauthorized
from lib.http.request import RawRequest
from lib.http.route import Freshness, Route
from lib.identity import api_keys, key_store
from lib.identity.models import Principal
from lib.services import Services

_MISSING = "You didn't provide an API key. Send it as `Authorization: Bearer YOUR_KEY`."
_WRONG = "The API key is wrong, expired or revoked."


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


async def authenticate(services: Services, route: Route, key: str) -> Principal | Account:
    """Return the caller: its account on routes that a gate confirms, its principal elsewhere.

    Raises Unauthorized, or Forbidden when the key lacks the route's permission.
    """
    key_hash = api_keys.key_hash(key, services.pepper)
    caller: Principal | Account | None
    if route.freshness is Freshness.GATE:
        caller = await services.accounts.find(services.database, key_hash)
    else:
        caller = await key_store.find_principal(services.database, key_hash)
    principal = caller.principal if isinstance(caller, Account) else caller
    if caller is None or principal is None or principal.expired(services.clock.now()):
        raise Unauthorized(_WRONG)
    if route.permission is not None and not principal.may(route.permission):
        raise Forbidden(f"This key lacks the scope {route.permission}.")
    return caller
