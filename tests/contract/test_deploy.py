"""`make deploy` with the real wrangler and a stand-in for Cloudflare's API: into an empty account, and once more."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.secrets import api_keys
from tests.contract.support.cloudflare import ACCOUNT, SUBDOMAIN, TOKEN, Cloudflare, identifier, running
from tools import deploy_steps, node
from tools.deploy_steps import Deployment
from tools.overlay import read_overlay
from tools.project import ROOT, ToolError
from tools.state import Store

EMAIL = "you@example.com"
ADDRESS = f"https://headgate.{SUBDOMAIN}.workers.dev"


@pytest.fixture
def cloudflare(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloudflare]:
    with running() as account:
        for name in ("CLOUDFLARE_ACCOUNT_ID", "HEADGATE_SECRET", "STORE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("CLOUDFLARE_API_BASE_URL", f"{account.url}/client/v4")
        monkeypatch.setenv("CLOUDFLARE_API_TOKEN", TOKEN)
        yield account


class Person:
    """Runs `make deploy` in a checkout whose own files are in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.settings, self.secrets = folder / "deploy.toml", folder / "deploy.secrets.env"
        self.config = ROOT / f"wrangler.deploy.{folder.name}.json"
        self.smoked: list[tuple[str, str | None]] = []

    def deploys(self, email: str = EMAIL, store: Store = "d1") -> str:
        said: list[str] = []

        def smoke(url: str, key: str | None) -> list[str]:
            self.smoked.append((url, key))
            return ["it is ready"]

        try:
            Deployment(
                store,
                read_overlay(store, self.settings, self.secrets),
                email,
                config=self.config,
                secrets_file=self.secrets,
                deployer=node.wrangler("deploy"),
                say=said.append,
                smoke=smoke,
            ).run()
        finally:
            self.config.unlink(missing_ok=True)
        return "\n".join(said)


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


def test_an_empty_account_gets_everything_and_a_second_run_changes_only_the_code(
    cloudflare: Cloudflare, person: Person, capfd: pytest.CaptureFixture[str]
) -> None:
    """D1, KV, R2, both queues, the tables, the secret, the administrator; nobody's id in any file of the checkout."""
    said = person.deploys()
    printed = json.loads(capfd.readouterr().out.partition("Current Version ID")[2].partition("\n")[2])
    secret = cloudflare.secrets["HEADGATE_SECRET"]

    assert cloudflare.unknown == []
    assert list(cloudflare.databases) == ["headgate"]
    assert list(cloudflare.namespaces) == ["headgate-cache"]
    assert cloudflare.buckets == ["headgate-archive"]
    assert {name: len(consumers) for name, consumers in cloudflare.queues.items()} == {
        "headgate-ledger": 1,
        "headgate-ledger-dead": 0,
    }
    assert cloudflare.queues["headgate-ledger"][0]["dead_letter_queue"] == "headgate-ledger-dead"
    assert cloudflare.crons == ["17 * * * *"]
    bound = {each["name"]: each for each in cloudflare.workers["headgate"]["bindings"]}
    assert bound["CACHE"]["namespace_id"] == cloudflare.namespaces["headgate-cache"]
    assert bound["DB"]["id"] == identifier("headgate")
    assert "ARCHIVE" in bound
    assert "EMAIL" not in bound  # nobody has said MAIL = "cloudflare"
    assert person.secrets.read_text() == f"HEADGATE_SECRET={secret}\n"
    assert stat.S_IMODE(person.secrets.stat().st_mode) == 0o600
    [key] = rows(cloudflare, "SELECT secret_hash FROM api_keys WHERE name = 'First key'")
    assert key["secret_hash"] == api_keys.key_hash(printed["api_key"], api_keys.derive(secret, "api-key-pepper"))
    assert person.smoked == [(ADDRESS, printed["api_key"])]
    assert secret not in said
    assert f"Headgate answers at {ADDRESS}" in said
    assert printed["set_password"] not in said

    # A password is chosen, and there is news: the code, a provider's key, and a variable.
    cloudflare.databases["headgate"].execute("UPDATE users SET password_hash = 'chosen', email = 'new@example.com'")
    person.secrets.write_text(person.secrets.read_text() + "OPENAI_API_KEY=sk-$HOME-1\n")
    person.settings.write_text('[vars]\nPUBLIC_URL = "https://ai.example.com/"\n')
    before = len(cloudflare.changes)
    said = person.deploys()

    assert cloudflare.unknown == []
    assert not [
        call for call in cloudflare.changes[before:] if call.startswith(("POST /d1", "POST /storage", "POST /r2"))
    ]
    assert "POST /queues" not in cloudflare.changes[before:]
    assert cloudflare.secrets == {"HEADGATE_SECRET": secret, "OPENAI_API_KEY": "sk-$HOME-1"}
    assert {each["name"]: each for each in cloudflare.workers["headgate"]["bindings"]}["DB"] == bound["DB"]
    assert said.index("Tables: are up to date") < said.index("Deploy: ")
    assert "there are organisations already" in said
    assert len(rows(cloudflare, "SELECT id FROM orgs")) == 1
    assert person.smoked[1] == ("https://ai.example.com", None)
    assert ACCOUNT not in (ROOT / "wrangler.toml").read_text()


def rows(cloudflare: Cloudflare, sql: str) -> list[dict[str, object]]:
    return [dict(row) for row in cloudflare.databases["headgate"].execute(sql)]


def test_an_account_without_r2_gets_the_rest_and_a_database_that_is_there_is_taken(
    cloudflare: Cloudflare, person: Person
) -> None:
    """Cloudflare asks for a way to pay before there is a bucket: that stops nothing, and is said. The database was made
    by hand, where it should be: it is found by its name, and migrated before the code comes.
    """
    cloudflare.has_r2 = False
    cloudflare.make_database("headgate")
    said = person.deploys()
    bound = {each["name"]: each for each in cloudflare.workers["headgate"]["bindings"]}
    assert (cloudflare.buckets, cloudflare.unknown) == ([], [])
    assert {"DB", "CACHE", "GATE", "GUARD", "LEDGER_QUEUE"} <= bound.keys()
    assert not {"ARCHIVE", "EMAIL"} & bound.keys()
    assert "R2 is not switched on in this account" in said
    assert bound["DB"]["id"] == identifier("headgate")
    assert "POST /d1/database" not in cloudflare.changes
    assert said.index("Tables: applied") < said.index("Deploy: ")


def test_who_may_use_several_accounts_says_which_before_anything_is_made(
    cloudflare: Cloudflare, person: Person
) -> None:
    cloudflare.accounts.append({"id": "f" * 32, "name": "Another"})
    with pytest.raises(ToolError, match=f'account_id = "{ACCOUNT}"   # Stand-in'):
        person.deploys()
    assert cloudflare.changes == []


def test_a_token_that_is_refused_is_said_in_cloudflares_words(
    cloudflare: Cloudflare, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "another")
    with pytest.raises(ToolError, match="Invalid access token"):
        person.deploys()
    assert cloudflare.changes == []


@pytest.mark.parametrize(
    ("caching", "said"),
    [
        ({"disabled": False, "max_age": 60}, "Hyperdrive's cache is on for 'headgate'"),
        ({}, "Hyperdrive's cache is on"),  # the default
        (None, "Hyperdrive config not found"),
        ({"disabled": True}, "Build stops here"),
    ],
)
def test_hyperdrive_must_answer_without_its_cache(
    cloudflare: Cloudflare, person: Person, monkeypatch: pytest.MonkeyPatch, caching: dict[str, object], said: str
) -> None:
    """With it a revoked key would go on working: it is told before anything is made."""

    def build(_configuration: Path) -> float:
        raise ToolError("Build stops here")

    monkeypatch.setattr(deploy_steps, "dry_run", build)
    key = "abcdef0123456789" * 2
    person.settings.write_text(f'hyperdrive_id = "{key}"\n')
    if caching is not None:
        cloudflare.hyperdrives[key] = caching
    with pytest.raises(ToolError, match=said):
        person.deploys(store="postgres")
    assert (cloudflare.changes, cloudflare.unknown) == ([], [])
