from __future__ import annotations

from pathlib import Path

import pytest

from tools.dev import read_settings
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
