from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest

from tools import deploy
from tools.account import _addresses
from tools.deploy import administrator, check_ready, made_secret, own_secret
from tools.overlay import Overlay
from tools.project import ToolError

NOTHING = Overlay({}, "", "", {})


def test_the_administrator_is_asked_for_once_and_kept(tmp_path: Path) -> None:
    """In a file that git ignores."""
    file = tmp_path / "deploy.toml"
    assert administrator(NOTHING, {"ADMIN_EMAIL": "You@Example.com"}, file) == "you@example.com"
    assert tomllib.loads(file.read_text()) == {"admin_email": "you@example.com", "vars": {}}
    kept = Overlay({}, "you@example.com", "", {})
    assert administrator(kept, {}, file) == "you@example.com"


def test_own_settings_stay_when_the_administrator_is_added(tmp_path: Path) -> None:
    file = tmp_path / "deploy.toml"
    file.write_text('[vars]\nMAIL = "none"\n')
    administrator(NOTHING, {"ADMIN_EMAIL": "o'neil@example.com"}, file)
    assert tomllib.loads(file.read_text()) == {"admin_email": "o'neil@example.com", "vars": {"MAIL": "none"}}


def test_what_is_no_address_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="not an e-mail address"):
        administrator(NOTHING, {"ADMIN_EMAIL": "nobody"}, tmp_path / "deploy.toml")
    assert list(tmp_path.iterdir()) == []


def test_postgresql_needs_hyperdrive_and_the_owner() -> None:
    """Both are a person's to make; D1 needs neither."""
    check_ready("d1", NOTHING, {})
    with pytest.raises(ToolError, match="hyperdrive_id"):
        check_ready("postgres", NOTHING, {"DATABASE_URL": "postgresql://…"})
    with pytest.raises(ToolError, match="DATABASE_URL"):
        check_ready("postgres", Overlay({}, "", "abc", {}), {})
    check_ready("postgres", Overlay({}, "", "abc", {}), {"DATABASE_URL": "postgresql://…"})


def test_a_secret_is_made_beside_what_is_there(tmp_path: Path) -> None:
    """64 hexadecimal digits, for the owner alone to read."""
    file = tmp_path / "deploy.secrets.env"
    file.write_text("OPENAI_API_KEY=sk-1")
    secret = made_secret(file)
    assert file.read_text() == f"OPENAI_API_KEY=sk-1\nHEADGATE_SECRET={secret}\n"
    assert (len(secret), stat.S_IMODE(file.stat().st_mode)) == (64, 0o600)
    assert own_secret(Overlay({}, "", "", {"HEADGATE_SECRET": secret}), {"HEADGATE_SECRET": "other"}) == secret
    assert own_secret(NOTHING, {"HEADGATE_SECRET": "other"}) == "other"


@pytest.mark.parametrize(
    ("store", "said"), [("mysql", "STORE must be"), ("postgres", "hyperdrive_id"), ("d1", "who is the first")]
)
def test_a_wrong_setting_is_said_before_the_set_up(
    store: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(deploy, "set_up", lambda: pytest.fail("it began"))
    monkeypatch.setattr(deploy, "read_overlay", lambda _store: NOTHING)
    monkeypatch.setattr("sys.argv", ["deploy"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    monkeypatch.delenv("ADMIN_EMAIL", raising=False)
    monkeypatch.setenv("STORE", store)
    with pytest.raises(ToolError, match=said):
        deploy.main()
    assert list(tmp_path.iterdir()) == []


def test_addresses_are_told_from_other_targets() -> None:
    told = (
        '{"type": "wrangler-session"}\n'
        '{"type": "deploy", "targets": ["https://headgate.me.workers.dev", "schedule: 17 3 * * *", "Producer for q",'
        ' "ai.example.com (custom domain)", "b.example.com/* (zone name: example.com)", "event triggers: 1"]}\n'
    )
    addresses = ("https://headgate.me.workers.dev", "https://ai.example.com", "https://b.example.com")
    assert _addresses(told) == addresses
    assert _addresses("") == ()
