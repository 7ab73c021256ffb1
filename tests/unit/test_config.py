"""The deployment's settings: each mistake is named, and no value ever shows."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lib.config import MIN_SECRET_CHARACTERS, OPENAI_BASE_URL, Config, ConfigError, StoreKind, read_config, read_store

SECRET = "s3cret-" * 6
REQUIRED = {"HEADGATE_SECRET": SECRET}


def read(variables: Mapping[str, str | None]) -> Config:
    return read_config(variables.get)


def test_the_secret_alone_is_enough() -> None:
    """Everything else has a default; a provider without its key or address is not offered."""
    config = read(REQUIRED)
    assert config.openai_base_url == OPENAI_BASE_URL
    assert config.openai_api_key is None
    assert config.sim_base_url is None
    assert config.upstream_timeout_seconds == 600


@pytest.mark.parametrize("secret", [None, "", "x" * (MIN_SECRET_CHARACTERS - 1)])
def test_a_missing_or_short_secret_is_named(secret: str | None) -> None:
    """API keys hang on it, so there is no default."""
    with pytest.raises(ConfigError, match="HEADGATE_SECRET"):
        read({"HEADGATE_SECRET": secret})


@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "SIM_BASE_URL"])
@pytest.mark.parametrize(
    "address",
    [
        "api.openai.com/v1",
        "ftp://host/v1",
        "https://",
        "https:///v1",
        "https://user:hunter2@host/v1",
        "https://user@host/v1",
        "https://host/v1?key=hunter2",
        "https://host/v1#hunter2",
        "javascript:hunter2",
        "https://:hunter2@host/v1",
        "https://[::1",
        "https://host:hunter2/v1",
        "https://host:99999/v1",
        "https://host/v1?",
        "https://host/v1#",
    ],
)
def test_an_address_that_is_none_is_named_but_not_shown(name: str, address: str) -> None:
    """Paths are appended to it, so it has no query or fragment; and a password in it would be in every log."""
    with pytest.raises(ConfigError, match=name) as caught:
        read({**REQUIRED, name: address})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("address", ["https://host/v1/", "https://host/v1", "https://host/v1//"])
def test_a_slash_at_the_end_of_an_address_does_not_matter(address: str) -> None:
    """`/chat/completions` is appended to it."""
    assert read({**REQUIRED, "OPENAI_BASE_URL": address}).openai_base_url == "https://host/v1"


@pytest.mark.parametrize("address", ["http://127.0.0.1:8787", "http://[::1]:8787/x", "https://host.example/a/b"])
def test_addresses_of_every_kind_are_taken(address: str) -> None:
    """IPv4, IPv6, a port, a path."""
    assert read({**REQUIRED, "SIM_BASE_URL": address}).sim_base_url == address


@pytest.mark.parametrize("text", ["0", "3601", "-1", "1.5", "ten", "1e2", " 60", "٦٠", "²", "9" * 5000])
def test_a_timeout_that_is_none_is_named(text: str) -> None:
    """A whole number of seconds from 1 to 3600."""
    with pytest.raises(ConfigError, match="UPSTREAM_TIMEOUT_SECONDS"):
        read({**REQUIRED, "UPSTREAM_TIMEOUT_SECONDS": text})


@pytest.mark.parametrize("text", ["1", "3600", "060"])
def test_a_timeout_is_read(text: str) -> None:
    """Both ends of the range are in it."""
    assert read({**REQUIRED, "UPSTREAM_TIMEOUT_SECONDS": text}).upstream_timeout_seconds == int(text)


def test_an_empty_variable_is_none() -> None:
    """Wrangler's way to unset one."""
    config = read({**REQUIRED, "OPENAI_API_KEY": "", "SIM_BASE_URL": "", "OPENAI_BASE_URL": ""})
    assert config.openai_api_key is None
    assert config.sim_base_url is None
    assert config.openai_base_url == OPENAI_BASE_URL


def test_no_secret_shows_in_its_repr() -> None:
    """Settings that end up in a log or a traceback tell no secret."""
    config = read(
        {**REQUIRED, "OPENAI_API_KEY": "sk-hidden", "SIM_BASE_URL": "http://sim", "SIM_API_KEY": "sim-hidden"}
    )
    shown = repr(config) + str(config)
    assert SECRET not in shown
    assert "hidden" not in shown
    assert config.openai_api_key == "sk-hidden"


@pytest.mark.parametrize(
    ("text", "kind"),
    [(None, StoreKind.D1), ("", StoreKind.D1), ("d1", StoreKind.D1), ("postgres", StoreKind.POSTGRES)],
)
def test_the_store_is_d1_where_nothing_is_said(text: str | None, kind: StoreKind) -> None:
    """An empty variable says nothing."""
    assert read_store({"STORE": text}.get) is kind


@pytest.mark.parametrize("text", ["D1", "postgresql", " d1", "d1 ", "sqlite", "hunter2"])
def test_another_store_is_refused(text: str) -> None:
    """Naming the variable and what it takes, and not its value: nobody knows what was put there by mistake."""
    with pytest.raises(ConfigError, match="STORE must be d1 or postgres") as caught:
        read_store({"STORE": text}.get)
    assert "hunter2" not in str(caught.value)


def test_sessions_have_defaults() -> None:
    """A deployment that says nothing has no foreign pages, and sessions of a day and a fortnight."""
    session = read(REQUIRED).session
    assert (session.issuer, session.cors_origins) == ("urn:headgate", frozenset())
    assert (session.idle_minutes, session.days, session.refresh_days) == (1440, 14, 30)


def test_what_sessions_can_be_told() -> None:
    """The deployment's address without a slash at its end; a list of origins with spaces and empty places."""
    session = read(
        REQUIRED
        | {
            "PUBLIC_URL": "https://headgate.example/",
            "CORS_ORIGINS": "https://app.example, http://localhost:3000,,http://127.0.0.1",
            "SESSION_IDLE_MINUTES": "30",
            "SESSION_DAYS": "1",
            "REFRESH_DAYS": "90",
        }
    ).session
    assert session.issuer == "https://headgate.example"
    assert session.cors_origins == {"https://app.example", "http://localhost:3000", "http://127.0.0.1"}
    assert (session.idle_minutes, session.days, session.refresh_days) == (30, 1, 90)


@pytest.mark.parametrize(
    "origins",
    [
        "*", "null", "app.example", "http://app.example", "https://app.example/", "https://*.example",
        "https://App.example",
        "https://app.example:0", "https://u@app.example", ",".join(f"https://a{n}.example" for n in range(101)),
    ],
)  # fmt: skip
def test_origins_that_are_none(origins: str) -> None:
    """No `*`, no plain HTTP but to this machine, nothing that no browser sends."""
    with pytest.raises(ConfigError, match="CORS_ORIGINS"):
        read(REQUIRED | {"CORS_ORIGINS": origins})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SESSION_IDLE_MINUTES", "0"),
        ("SESSION_DAYS", "91"),
        ("REFRESH_DAYS", "366"),
        ("PUBLIC_URL", "headgate.example"),
    ],
)
def test_settings_of_sessions_that_are_wrong(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        read(REQUIRED | {name: value})
