from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tools.deploy_steps import queues_of
from tools.overlay import Overlay, configuration, read_overlay, write_configuration
from tools.project import ROOT, ToolError, wrangler_toml
from tools.state import Store

NOTHING = Overlay({}, "", "", {})


def overlay(folder: Path, settings: str = "", secrets: str = "", store: Store = "d1") -> Overlay:
    (folder / "deploy.toml").write_text(settings)
    (folder / "deploy.secrets.env").write_text(secrets)
    return read_overlay(store, folder / "deploy.toml", folder / "deploy.secrets.env")


def test_what_is_committed_names_no_account() -> None:
    """No id but the placeholders: one's own are found by wrangler, or stand in a file that git ignores."""
    text = (ROOT / "wrangler.toml").read_text()
    ids = [line for line in text.splitlines() if line.partition(" =")[0].endswith(("id", "_id"))]
    assert ids
    assert all(set(line.partition('"')[2].partition('"')[0]) <= set("0-") for line in ids)
    assert "database_id" not in wrangler_toml()["d1_databases"][0]
    assert "id" not in wrangler_toml()["kv_namespaces"][0]


@pytest.mark.parametrize("name", ["deploy.toml", "deploy.secrets.env", "wrangler.deploy.json"])
def test_ones_own_files_never_get_into_git(name: str) -> None:
    assert subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT, check=False).returncode == 0


def test_without_files_it_is_wrangler_toml_for_the_store() -> None:
    """Of its environments none is left, so that nothing has to be chosen; local ids are gone."""
    d1, postgres = configuration(NOTHING, "d1"), configuration(NOTHING, "postgres")
    assert d1["d1_databases"] == [{"binding": "DB", "database_name": "headgate", "migrations_dir": "migrations"}]
    assert d1["kv_namespaces"] == postgres["kv_namespaces"] == [{"binding": "CACHE"}]
    assert (postgres["d1_databases"], postgres["vars"]) == ([], {"STORE": "postgres"})
    assert "hyperdrive" not in d1
    for settings in (d1, postgres):
        assert "env" not in settings
        assert queues_of(settings) == ["headgate-ledger", "headgate-ledger-dead"]
        for part in ("main", "compatibility_flags", "migrations", "triggers", "python_modules", "keep_vars"):
            assert settings[part] == wrangler_toml()[part]


def test_own_settings_are_laid_over(tmp_path: Path) -> None:
    own = overlay(
        tmp_path,
        'admin_email = "you@example.com"\nhyperdrive_id = "abc"\naccount_id = "def"\n'
        '[[routes]]\npattern = "ai.example.com"\ncustom_domain = true\n'
        '[vars]\nPUBLIC_URL = "https://ai.example.com"\n[observability]\nhead_sampling_rate = 0.1\n',
        "OPENAI_API_KEY='sk-1' # the key\n",
        "postgres",
    )
    made = json.loads(write_configuration(own, "postgres", tmp_path / "made.json").read_text())

    assert (own.admin_email, own.secrets) == ("you@example.com", {"OPENAI_API_KEY": "sk-1"})
    assert made["vars"] == {"STORE": "postgres", "PUBLIC_URL": "https://ai.example.com"}
    assert made["hyperdrive"] == [{"binding": "HYPERDRIVE", "id": "abc"}]
    assert (made["account_id"], made["routes"]) == ("def", [{"pattern": "ai.example.com", "custom_domain": True}])
    assert made["observability"] == {**wrangler_toml()["observability"], "head_sampling_rate": 0.1}
    assert "sk-1" not in json.dumps(made)
    assert "admin_email" not in made


@pytest.mark.parametrize("store", ["d1", "postgres"])
def test_what_a_deployment_does_not_use_is_not_bound(tmp_path: Path, store: Store) -> None:
    """Mail's binding comes with MAIL; an empty list takes any other out, and no line of wrangler.toml is touched."""
    mail = overlay(tmp_path, '[vars]\nMAIL = "cloudflare"\nMAIL_FROM = "a@example.com"\n', store=store)
    assert configuration(mail, store)["send_email"] == [{"name": "EMAIL"}]
    less = configuration(overlay(tmp_path, "r2_buckets = []\nkv_namespaces = []\n", store=store), store)
    assert (less["r2_buckets"], less["kv_namespaces"], "send_email" in less) == ([], [], False)
    free = configuration(overlay(tmp_path, "limits = {}\nqueues = {}\n", store=store), store)
    assert (free["limits"], queues_of(free)) == ({}, [])


def test_a_second_deployment_has_its_own_of_everything(tmp_path: Path) -> None:
    """By another name; the directory of migrations and the bindings are what they were."""
    made = configuration(overlay(tmp_path, 'name = "headgate-staging"\n'), "d1")

    assert queues_of(made) == ["headgate-staging-ledger", "headgate-staging-ledger-dead"]
    assert made["d1_databases"][0]["database_name"] == "headgate-staging"
    assert made["r2_buckets"] == [{"binding": "ARCHIVE", "bucket_name": "headgate-staging-archive"}]
    assert made["main"] == "src/entry.py"


@pytest.mark.parametrize(
    ("settings", "secrets", "said"),
    [
        ("vars = ", "", "deploy.toml: "),
        ("[varz]\nMAIL = 'none'\n", "", "deploy.toml: nobody knows varz"),
        ("admin_email = 3\n", "", "admin_email must be a text"),
        ("[vars]\nSESSION_DAYS = 14\n", "", "texts only"),
        ("[vars]\nSESSION_DAYS = 'soon'\n", "", "SESSION_DAYS must be a whole number"),
        ("[vars]\nSTORE = 'postgres'\n", "", "STORE=d1 is said"),
        ("[vars]\nMAIL = 'outbox'\nPUBLIC_URL = 'https://ai.example.com'\n", "", "MAIL is outbox"),
        ("[vars]\nMAIL_FROM = 'a@b.example'\n", "MAIL_FROM=a@b.example\n", "both have MAIL_FROM"),
        ("", "HEADGATE_SECRET=short\n", "at least 32 characters"),
        ("", "what is this\n", "deploy.secrets.env, line 1"),
    ],
)
def test_what_wrangler_or_the_worker_would_refuse_is_said_first(
    settings: str, secrets: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ToolError, match=said) as caught:
        overlay(tmp_path, settings, secrets)
    assert "soon" not in str(caught.value)
    assert "what is" not in str(caught.value)
