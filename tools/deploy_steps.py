"""The steps of a deploy, in order. Each says what it does, and each may be done again."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tools.account import Account
from tools.build import check_size
from tools.d1_target import D1Target
from tools.deploy import dry_run, made_secret, own_secret
from tools.headgate import Place, seed_elsewhere
from tools.migrations import Target, quoted
from tools.overlay import CONFIG, SECRETS, Overlay, configuration, write_configuration
from tools.postgres_target import PostgresTarget
from tools.smoke import smoke
from tools.state import Store
from tools.worker_settings import offers_a_model

WITHOUT_IT = (
    "Cloudflare has HEADGATE_SECRET and this checkout has not: no administrator is made. With it in deploy.secrets.env,"
    " run this again."
)
WITHOUT_R2 = (
    "R2 is not switched on in this account, so usage records stay in the database for ever. Switch it on in"
    " Cloudflare's dashboard (it asks for a way to pay), and run this again; or have `r2_buckets = []` in deploy.toml."
)
NEXT = """\
Headgate answers at {url}

  curl -N {url}/v1/chat/completions \\
    -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
    -d '{{"model": "openai/gpt-4o-mini", "stream": true, "messages": [{{"role": "user", "content": "Hello"}}]}}'

How to go on:
{steps}
Documentation: {url}/docs, docs/deployment.md"""


@dataclass
class Deployment:
    """One deploy. No `email`: nobody is there, so no secret is made and no administrator."""

    store: Store
    overlay: Overlay
    email: str
    config: Path = CONFIG
    secrets_file: Path = SECRETS
    deployer: Sequence[str] | None = None
    say: Callable[[str], None] = lambda line: print(line, flush=True)
    smoke: Callable[[str, str | None], list[str]] = smoke
    _key: str | None = field(default=None, init=False)
    _number: int = field(default=0, init=False)

    def run(self) -> None:
        """Raises ToolError; whatever was done until then stays, and the next run goes on from there."""
        settings = configuration(self.overlay, self.store)
        write_configuration(self.overlay, self.store, self.config)
        account = Account(self.config, self.deployer)
        self._step("Account", account.sign_in())
        if settings.get("r2_buckets") and not account.has_r2():
            self._step("Archive", WITHOUT_R2)
            self.overlay = replace(self.overlay, settings={**self.overlay.settings, "r2_buckets": []})
            settings = configuration(self.overlay, self.store)
            write_configuration(self.overlay, self.store, self.config)
        if self.store == "postgres":
            account.check_hyperdrive(settings["hyperdrive"][0]["id"])
            self._step("Hyperdrive", "is there, without its cache")
        self._step("Build", check_size(dry_run(self.config)))
        for queue in queues_of(settings):
            self._step("Queue", f"{queue}: {'made' if account.make_queue(queue) else 'is there'}")
        first = not self._has_tables(account, settings)
        if first:
            self._step("Database", "there is none yet: the deploy makes it")
        else:
            self._migrate()
        secret = self._deploy(account)
        if first:
            self._migrate()
        if self.email:
            self._seed(secret)
        self._look(settings)

    def _has_tables(self, account: Account, settings: dict[str, Any]) -> bool:
        """Whether the database is there, so that it is migrated before the new code comes."""
        return self.store == "postgres" or account.has_database(settings["d1_databases"][0]["database_name"])

    def _migrate(self) -> None:
        names = self._target().up()
        self._step("Tables", f"applied {', '.join(names)}" if names else "are up to date")

    def _deploy(self, account: Account) -> str:
        known = "HEADGATE_SECRET" in account.secret_names()
        secret = own_secret(self.overlay, os.environ)
        sent = {name: value for name, value in self.overlay.secrets.items() if name != "HEADGATE_SECRET"}
        if not known and not secret and self.email:
            secret = made_secret(self.secrets_file)
            self._step(
                "Secret", f"HEADGATE_SECRET made, and kept in {self.secrets_file.name}: put a copy somewhere safe"
            )
        if not known and secret:  # one that is there is never replaced: all keys and passwords hang on it
            sent["HEADGATE_SECRET"] = secret
        self._step("Deploy", f"sending the Worker{', with ' + ', '.join(sorted(sent)) if sent else ''} …")
        self._addresses = account.deploy(sent).addresses
        return secret

    def _seed(self, secret: str) -> None:
        place = Place(self._target(), None, "The database")
        theirs = place.target.rows(f"SELECT id FROM users WHERE email = {quoted(self.email)}")
        if not theirs and place.target.rows("SELECT id FROM orgs LIMIT 1"):
            self._step("Administrator", "there are organisations already: nothing is made")
        elif not secret:
            self._step("Administrator", WITHOUT_IT)
        else:
            self._step("Administrator", self.email)
            self._key = seed_elsewhere(place, self.email, secret)

    def _look(self, settings: dict[str, Any]) -> None:
        url = str(settings.get("vars", {}).get("PUBLIC_URL") or next(iter(self._addresses), "")).rstrip("/")
        if not url:
            self._step("Smoke test", "no address: neither workers.dev nor a route leads to it, so nothing was asked")
            return
        self._step("Smoke test", url)
        if not self.email and not self._has_secret_for(url):
            return
        for line in self.smoke(url, self._key):
            self.say(f"    {line}")
        self.say("\n" + NEXT.format(url=url, key=self._key or "hg_…", steps="".join(self._left(url, settings))))

    def _has_secret_for(self, url: str) -> bool:
        """An unattended first deploy has no secret yet: then it can't be ready, and that is no failure."""
        if "HEADGATE_SECRET" in Account(self.config).secret_names():
            return True
        self.say(f"    {url} is not ready before `make deploy` has been run by a person, who makes HEADGATE_SECRET.")
        return False

    def _left(self, url: str, settings: dict[str, Any]) -> list[str]:
        steps = []
        if self._key:
            steps.append(f"- Choose the administrator's password: open `set_password` from above, below {url}.\n")
        if not offers_a_model({**settings.get("vars", {}), **self.overlay.secrets}):
            steps.append(
                "- Put a provider's key (OPENAI_API_KEY=…) into deploy.secrets.env, and run `make deploy` again.\n"
            )
        if "PUBLIC_URL" not in settings.get("vars", {}):
            steps.append(f'- Mails need an address: PUBLIC_URL = "{url}" in [vars] of deploy.toml, and MAIL.\n')
        return [*steps, "- Updating: `git pull`, then `make deploy`.\n"]

    def _target(self) -> Target:
        if self.store == "postgres":
            return PostgresTarget(os.environ["DATABASE_URL"])
        return D1Target.remote(self.config)

    def _step(self, name: str, what: str) -> None:
        self._number += 1
        self.say(f"{self._number:2}. {name}: {what}")


def queues_of(settings: dict[str, Any]) -> list[str]:
    """The names of all queues that wrangler binds, and of those for what can't be delivered."""
    queues = settings.get("queues", {})
    named = [entry["queue"] for part in ("producers", "consumers") for entry in queues.get(part, [])]
    dead = [entry["dead_letter_queue"] for entry in queues.get("consumers", []) if "dead_letter_queue" in entry]
    return list(dict.fromkeys([*named, *dead]))
