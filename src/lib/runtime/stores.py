"""Which store this deployment has: D1, or PostgreSQL through Hyperdrive."""

from __future__ import annotations

import time
from typing import Any

from lib.config import ConfigError, StoreKind, read_store
from lib.runtime import hyperdrive
from lib.runtime.d1 import JsD1Binding
from lib.runtime.environment import variable_reader
from lib.store.d1 import D1Store
from lib.store.database import Store
from lib.store.postgres import PostgresStore
from lib.store.session import STATEMENT_SECONDS

_BINDINGS = {StoreKind.D1: "DB", StoreKind.POSTGRES: "HYPERDRIVE"}


def store_of(env: Any, statement_seconds: float = STATEMENT_SECONDS) -> Store:
    """Return the store that the variable STORE names. Raises ConfigError when it or its binding is missing."""
    kind = read_store(variable_reader(env))
    binding = getattr(env, _BINDINGS[kind], None)
    if binding is None:
        raise ConfigError(f"STORE is {kind}, but wrangler.toml binds no {_BINDINGS[kind]}")
    if kind is StoreKind.POSTGRES:
        return PostgresStore(hyperdrive.address(binding), time.monotonic, statement_seconds)
    return D1Store(JsD1Binding(binding), time.monotonic, statement_seconds)
