"""A leaked key: whoever holds it may report it, and it is over."""

from __future__ import annotations

from lib.http.errors import TooManyRequests
from lib.identity import api_keys, key_store, rotation
from lib.identity.context import Context
from lib.identity.shield import Verdict, network_of
from lib.kernel.event import Event
from lib.services import Services
from lib.store.conditions import found
from lib.store.scope import Org

_TOO_MANY = "Too many wrong API keys come from your network. Try again."


async def report(services: Services, text: str, context: Context) -> None:
    """Revoke the key, and all that was made or minted with it and with those; note it in the audit log.

    Nobody is told whether there was one: a finder has no business with that. As many invented keys are looked up as in
    any other request (see `lib.identity.shield`); raises TooManyRequests beyond that.
    """
    if not api_keys.is_key(text):
        return
    shield, network, now = services.shield, network_of(context.address), services.clock.now()
    key_hash = api_keys.key_hash(text, services.pepper)
    verdict = shield.judge(network, key_hash, now.timestamp(), patient=False)
    if verdict is Verdict.TOO_MANY:
        raise TooManyRequests(_TOO_MANY, code="too_many_wrong_keys", headers={"retry-after": "1"})
    try:
        principal = await key_store.find_principal(services.database, key_hash, rotation.older_hashes(services, text))
    except BaseException:
        shield.failed(network, key_hash, now.timestamp())
        raise
    if principal is None:
        shield.not_found(key_hash, now.timestamp())
        return
    shield.found(network, key_hash, now.timestamp())
    org_id, key_id = principal.org_id, principal.key_id
    row = await key_store.get_key(services.database, org_id, key_id)
    if row is not None:
        event = Event("key.leak_reported", Org(org_id), f"key:{key_id}")
        active = found("api_keys", org_id, key_id, active=True)
        await services.work("nobody").commit(event, *key_store.leak_statements(row, org_id, now), only_if=active)
