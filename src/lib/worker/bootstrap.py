"""Wire the application: the only function that knows which adapter stands behind which port."""

from __future__ import annotations

import gc
from typing import Any

from lib.config import Config, MailKind, read_config
from lib.defence.guard import ObjectGuard
from lib.defence.shield import Shield
from lib.events.event_store import log_key
from lib.gateway import model_lists
from lib.gateway.call.call import Gateway
from lib.gateway.call.denials import Denials
from lib.gateway.call.remembering_gates import RememberingGates
from lib.gateway.callers.callers import Callers
from lib.gateway.model_lists import ModelLists
from lib.gateway.providers.configured import configured, leave_out
from lib.gateway.providers.settings import read_settings
from lib.issuers.configured import issuers_of
from lib.issuers.oidc_client import MOST_BYTES, TIMEOUT_SECONDS
from lib.issuers.settings import read_providers
from lib.kernel import failures, json_body
from lib.kernel.clock import SystemClock
from lib.kernel.failures import Failure
from lib.ledger.filling import note_filling
from lib.orgs import invitation_service
from lib.runtime.archive import archive_of
from lib.runtime.argon2 import CtypesArgon2
from lib.runtime.environment import variable_reader
from lib.runtime.fetch_transport import fetch_client
from lib.runtime.kv import cache_of
from lib.runtime.mail import mail_of
from lib.runtime.objects.gate_calls import GateCalls
from lib.runtime.objects.gates import JsGates
from lib.runtime.objects.guard import JsGuardObjects
from lib.runtime.objects.placement import Placement
from lib.runtime.sealer import WebCryptoSealer
from lib.runtime.signatures import WebCryptoSignatures
from lib.runtime.stores import store_of
from lib.runtime.streams import JsStreams
from lib.runtime.upstream import JsUpstream
from lib.secrets.api_keys import derive
from lib.sign_in.passwords import HashCost, Passwords
from lib.tokens.signing_keys import SigningKeys
from lib.web.app import App
from lib.web.docs_page import docs_page
from lib.web.openapi import document
from lib.web.refusals import Refusals
from lib.web.router import Router
from routes import ROUTES

# Made when the module is imported: in production that is before the deploy snapshot, so no request pays for it.
# What the imports left behind goes first: the memory of a snapshot never shrinks, and grows by a fifth at once.
gc.collect()
ROUTER = Router(ROUTES)
_DOCUMENT = document(ROUTES)
_OPENAPI = json_body.dump(_DOCUMENT)
_DOCS_PAGE = docs_page(_DOCUMENT, ROUTER.exposed)
# The bindings that wrangler.toml may leave out, and what is then missing: docs/deployment.md tells what follows.
_OPTIONAL = {"ARCHIVE": "archive", "CACHE": "cache", "LEDGER_QUEUE": "queue"}
# The gate that `/readyz` tries. It has the form of an organisation's id, and is no one's.
_NO_ORG = "00000000-0000-7000-8000-000000000000"


def bootstrap(env: Any) -> App:
    """Return the application's parts for one isolate. `env` holds the bindings. Raises ConfigError."""
    variable = variable_reader(env)
    config = read_config(variable)
    clock, signatures = SystemClock(), WebCryptoSignatures()
    store = store_of(env)
    archive, cache = archive_of(env, config.ledger_records), cache_of(env)
    mailer, outbox = mail_of(env, config.mail, clock)
    denials = Denials(cache)
    accounts = Callers(cache, denials)
    placement = Placement(env, config.place)
    # Each isolate would pay a way to another object before its first call; without a jurisdiction `/readyz` is enough.
    gates = JsGates(GateCalls(placement.gates, placement.check if placement.is_bound else None), accounts)
    gateway = Gateway(
        configured(read_settings(variable, leave_out), config.default_output_tokens),
        JsUpstream(),
        RememberingGates(gates, denials),
        clock,
        config.upstream_timeout_seconds,
        config.output_floor_tokens,
        ModelLists(fetch_client(model_lists.TIMEOUT_SECONDS, model_lists.MOST_BYTES), clock),
    )

    async def check_database(parts: App) -> None:
        await parts.database.check()
        if not failures.counts().get(Failure.STORE_FILLING.name.lower()):  # once an isolate: it is asked all the time
            note_filling(parts.database)

    async def check_gate(parts: App) -> None:
        await placement.check()
        await parts.gates.flush(_NO_ORG)

    return App(
        config=config,
        clock=clock,
        store=store,
        database=store.open(),
        archive=archive,
        pepper=derive(config.secret, "api-key-pepper"),
        log_key=log_key(config.secret),
        callers=accounts,
        shield=Shield(),
        refusals=Refusals(),
        gateway=gateway,
        gates=gates,
        sealer=WebCryptoSealer(),
        streams=JsStreams(),
        tokens=SigningKeys(signatures),
        passwords=Passwords(
            CtypesArgon2(),
            config.secret,
            HashCost(config.account.password_memory_kib, config.account.password_passes),
            config.account.password_min_length,
            config.older_secrets,
        ),
        mailer=mailer,
        sent_mail=outbox,
        guard=ObjectGuard(JsGuardObjects(placement.guards), derive(config.secret, "guard")),
        invitations=invitation_service,
        issuers=issuers_of(read_providers(variable), fetch_client(TIMEOUT_SECONDS, MOST_BYTES), signatures),
        checks={"database": check_database, "gate": check_gate},
        openapi=_OPENAPI,
        docs_page=_DOCS_PAGE,
        without=_without(env, config),
        older=tuple(derive(secret, "api-key-pepper") for secret in config.older_secrets),
    )


def _without(env: Any, config: Config) -> tuple[str, ...]:
    missing = [name for binding, name in _OPTIONAL.items() if getattr(env, binding, None) is None]
    return (*missing, *(["mail"] if config.mail.kind is MailKind.NONE else []))
