"""A leaked key: whoever holds it may report it, and it is over."""

from __future__ import annotations

from lib.defence.parts import Guarded
from lib.defence.shield import Verdict, network_of
from lib.events.event import Event
from lib.http.context import Context
from lib.kernel.errors import TooManyRequests
from lib.keys import key_store
from lib.secrets import api_keys, rotation
from lib.store.conditions import found
from lib.store.tenant import Org

_TOO_MANY = "Too many wrong API keys come from your network. Try again."


async def report(parts: Guarded, text: str, context: Context) -> None:
    """Revoke the key, and all that was made or minted with it and with those; note it in the audit log.

    Nobody is told whether there was one: a finder has no business with that. As many invented keys are looked up as in
    any other request (see `lib.defence.shield`); raises TooManyRequests beyond that.
    """
    if not api_keys.is_key(text):
        return
    shield, network, now = parts.shield, network_of(context.address), parts.clock.now()
    key_hash = api_keys.key_hash(text, parts.pepper)
    verdict = shield.judge(network, key_hash, now.timestamp(), patient=False)
    if verdict is Verdict.TOO_MANY:
        raise TooManyRequests(_TOO_MANY, code="too_many_wrong_keys", headers={"retry-after": "1"})
    try:
        principal = await key_store.find_principal(parts.database, key_hash, rotation.older_hashes(parts, text))
    except BaseException:
        shield.failed(network, key_hash, now.timestamp())
        raise
    if principal is None:
        shield.not_found(key_hash, now.timestamp())
        return
    shield.found(network, key_hash, now.timestamp())
    org_id, key_id = principal.org_id, principal.key_id
    row = await key_store.KEYS.get(parts.database, org_id, key_id)
    if row is not None:
        event = Event("key.leak_reported", Org(org_id), f"key:{key_id}")
        active = found("api_keys", org_id, key_id, active=True)
        await parts.work("nobody").commit(event, *key_store.leak_statements(row, org_id, now), only_if=active)
