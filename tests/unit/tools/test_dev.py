from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.dev import READY, read_settings
from tools.project import ROOT, ToolError


def test_without_settings_it_is_port_8787_d1_and_a_state_that_git_ignores() -> None:
    settings = read_settings({})

    assert settings.store == "d1"
    assert (settings.port, settings.state, settings.variables) == (8787, ROOT / ".wrangler" / "state", {})


def test_port_state_and_env_file_are_taken_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "extra.env"
    file.write_text("OPENAI_API_KEY=sk-secret\n")

    settings = read_settings({"PORT": "9000", "STATE": str(tmp_path), "ENV_FILE": str(file)})

    assert (settings.port, settings.state) == (9000, tmp_path)
    assert settings.variables == {"OPENAI_API_KEY": "sk-secret"}
    assert "sk-secret" not in repr(settings)


def test_the_store_is_taken_from_the_environment() -> None:
    assert [read_settings({"STORE": name}).store for name in ("", "d1", "postgres")] == ["d1", "d1", "postgres"]


@pytest.mark.parametrize("store", ["mysql", "D1", " postgres", "d1,postgres"])
def test_a_wrong_store_is_named_with_both_that_there_are(store: str) -> None:
    with pytest.raises(ToolError, match=f"STORE must be d1 or postgres, not '{store}'"):
        read_settings({"STORE": store})


@pytest.mark.parametrize("port", ["x", "0", "65536", "-1", "80 80", "٨٠"])
def test_a_wrong_port_is_named(port: str) -> None:
    with pytest.raises(ToolError, match="PORT must be a number"):
        read_settings({"PORT": port})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("SESSION_DAYS=soon", "SESSION_DAYS must be a whole number from 1 to 90"),
        ("OPENAI_BASE_URL=api.example.com", "OPENAI_BASE_URL must be an http"),
        ("MAIL=pigeon", "MAIL must be none, outbox, cloudflare, http"),
        ("MAIL=http", "MAIL_FROM must be an address"),
        ("PUBLIC_URL=https://headgate.example.com", "MAIL is outbox"),
        ("OIDC_PROVIDERS=acme", "OIDC_ACME_CLIENT_ID must be set"),
        ("HEADGATE_SECRET=short", "HEADGATE_SECRET must have at least 32 characters"),
        ("STORE=postgres", "STORE=d1 is said"),
    ],
)
def test_a_setting_that_the_worker_would_refuse_is_named_before_it_starts(line: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "extra.env"
    file.write_text(f"OPENAI_API_KEY=sk-secret\n{line}\n")

    with pytest.raises(ToolError, match="extra.env: .*" + said) as caught:
        read_settings({"ENV_FILE": str(file)})

    assert "sk-secret" not in str(caught.value)


def test_settings_are_read_before_any_package_is_brought(tmp_path: Path) -> None:
    """On a fresh machine there is only Python: a wrong setting is said before minutes of set-up."""
    file = tmp_path / "extra.env"
    file.write_text("SESSION_DAYS=soon\n")
    code = "import sys; sys.path.insert(0, sys.argv[1]); from tools.dev import main; sys.argv[1:] = []; main()"
    environment = {"ENV_FILE": str(file), "PATH": ""}

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(ROOT)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr.splitlines()[-1].endswith("SESSION_DAYS must be a whole number from 1 to 90")
    assert done.stdout == ""


def test_the_readme_shows_the_command_that_is_printed() -> None:
    """Word for word, but for the key and the indentation."""
    shown = (
        READY.format(base_url="http://127.0.0.1:8787", api_key="hg_…", credentials="", store="", state="")
        .partition("curl")[2]
        .partition("Documentation")[0]
    )
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert "$ curl" + " " + " ".join(shown.split()) in readme
