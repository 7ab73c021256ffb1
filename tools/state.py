"""The folder that holds one local Headgate's data: its databases, and what we keep beside them."""

from __future__ import annotations

import fcntl
import json
import secrets
from pathlib import Path
from typing import IO, Any, Literal, get_args

from tools.env_file import parse_env, write_private
from tools.project import ToolError

Store = Literal["d1", "postgres"]
STORES: tuple[Store, ...] = get_args(Store)


def store_named(name: str) -> Store:
    """Raises ToolError naming what can be chosen."""
    for store in STORES:
        if store == name:
            return store
    raise ToolError(f"STORE must be {' or '.join(STORES)}, not {name!r}")


class State:
    """Paths and small files in a STATE folder. `hold` keeps others out while we use it.

    A D1 and a PostgreSQL may live in it side by side, each with all its data. They share the secrets and the first
    organisation's credentials.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.log = self.folder / "wrangler.log"
        self.variables = self.folder / "variables.env"
        self.credentials = self.folder / "credentials.json"
        self.pending_credentials = self.folder / "credentials.pending.json"
        self.postgres = self.folder / "postgres"
        self.migrated = self.folder / "migrated"
        self._secrets = self.folder / "secrets.env"
        self._lock: IO[str] | None = None

    def hold(self) -> None:
        """Raises ToolError when another run uses this folder: two would spoil the databases."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = (self.folder / "lock").open("w")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.close()
            raise ToolError(f"{self.folder} is in use by another run: choose another with STATE=folder") from error
        self._lock = handle

    def release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def wrangler_data(self, store: Store) -> Path:
        """Where wrangler keeps D1 and the gates. A gate knows what its store's usage adds up to: no two share one."""
        return self.folder if store == "d1" else self.folder / "gates-on-postgres"

    def secrets(self) -> dict[str, str]:
        """The secrets of this state, made at random the first time."""
        if not self._secrets.exists():
            made = {"HEADGATE_SECRET": secrets.token_hex(32), "SIM_API_KEY": secrets.token_hex(16)}
            write_private(self._secrets, "".join(f"{name}={value}\n" for name, value in made.items()))
        return parse_env(self._secrets.read_text(encoding="utf-8"), str(self._secrets))

    def read_credentials(self) -> dict[str, Any]:
        content = json.loads(self.credentials.read_text(encoding="utf-8"))
        return dict(content)
