"""The deployment's settings: each mistake is named, and no value ever shows."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lib.config import (
    MIN_SECRET_CHARACTERS,
    Config,
    ConfigError,
    MailConfig,
    MailKind,
    PlaceConfig,
    SignUp,
    StoreKind,
    read_config,
    read_store,
)

SECRET = "s3cret-" * 6
REQUIRED = {"HEADGATE_SECRET": SECRET}


def read(variables: Mapping[str, str | None]) -> Config:
    return read_config(variables.get)


def test_the_secret_alone_is_enough() -> None:
    """Everything else has a default."""
    assert read(REQUIRED).upstream_timeout_seconds == 600


@pytest.mark.parametrize("secret", [None, "", "x" * (MIN_SECRET_CHARACTERS - 1)])
def test_a_missing_or_short_secret_is_named(secret: str | None) -> None:
    """API keys hang on it, so there is no default."""
    with pytest.raises(ConfigError, match="HEADGATE_SECRET"):
        read({"HEADGATE_SECRET": secret})


@pytest.mark.parametrize("text", ["6", "3651", "0", "-7", "7.5", "week"])
def test_a_retention_that_is_none_is_named(text: str) -> None:
    """A whole number of days from 7 to 3650; a record can be corrected for a day, and a store be away for some."""
    with pytest.raises(ConfigError, match="LEDGER_RETENTION_DAYS must be a whole number from 7 to 3650"):
        read({**REQUIRED, "LEDGER_RETENTION_DAYS": text})


@pytest.mark.parametrize(("text", "days"), [(None, 30), ("", 30), ("7", 7), ("3650", 3650)])
def test_a_retention_that_is_one_is_taken(text: str | None, days: int) -> None:
    assert read({**REQUIRED, "LEDGER_RETENTION_DAYS": text}).ledger_retention_days == days


@pytest.mark.parametrize(
    ("text", "where"), [(None, "store"), ("", "store"), ("store", "store"), ("archive", "archive")]
)
def test_where_records_stay(text: str | None, where: str) -> None:
    """In the store, unless somebody says otherwise; nothing else is taken."""
    assert read({**REQUIRED, "LEDGER_RECORDS": text}).ledger_records == where
    with pytest.raises(ConfigError, match="LEDGER_RECORDS must be one of store, archive"):
        read({**REQUIRED, "LEDGER_RECORDS": "r2"})


@pytest.mark.parametrize(("text", "most"), [(None, 4096), ("1", 1), ("99999", 99_999)])
def test_the_most_output_where_nobody_told(text: str | None, most: int) -> None:
    """4,096 unless the deployment says otherwise."""
    assert read({**REQUIRED, "DEFAULT_OUTPUT_TOKENS": text}).default_output_tokens == most
    with pytest.raises(ConfigError, match="DEFAULT_OUTPUT_TOKENS"):
        read({**REQUIRED, "DEFAULT_OUTPUT_TOKENS": "0"})


@pytest.mark.parametrize("text", ["0", "3601", "-1", "1.5", "ten", "1e2", " 60", "٦٠", "²", "9" * 5000])
def test_a_timeout_that_is_none_is_named(text: str) -> None:
    """A whole number of seconds from 1 to 3600."""
    with pytest.raises(ConfigError, match="UPSTREAM_TIMEOUT_SECONDS"):
        read({**REQUIRED, "UPSTREAM_TIMEOUT_SECONDS": text})


@pytest.mark.parametrize("text", ["1", "3600", "060"])
def test_a_timeout_is_read(text: str) -> None:
    """Both ends of the range are in it."""
    assert read({**REQUIRED, "UPSTREAM_TIMEOUT_SECONDS": text}).upstream_timeout_seconds == int(text)


def test_no_secret_shows_in_its_repr() -> None:
    """Settings that end up in a log or a traceback tell no secret."""
    config = read(REQUIRED)
    assert SECRET not in repr(config) + str(config)


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


def test_accounts_have_safe_defaults() -> None:
    """Only who is invited makes an account; OWASP's cost for Argon2id; no links without an address of our own."""
    account = read(REQUIRED).account
    assert (account.sign_up, account.sign_up_domains, account.public_url) == (SignUp.INVITATION, frozenset(), None)
    assert (account.password_min_length, account.password_memory_kib, account.password_passes) == (12, 19_456, 2)


def test_accounts_are_configured() -> None:
    """Domains without regard to case and spaces, addresses without a slash at their end."""
    variables = {
        "SIGN_UP": "domain",
        "SIGN_UP_DOMAINS": " Acme.example, sub.acme.example,",
        "PASSWORD_MIN_LENGTH": "15",
        "PASSWORD_MEMORY_KIB": "65536",
        "PASSWORD_PASSES": "1",
        "PUBLIC_URL": "https://ai.acme.example/",
    }
    account = read(REQUIRED | variables).account
    assert account.sign_up_domains == {"acme.example", "sub.acme.example"}
    assert (account.password_min_length, account.password_memory_kib, account.password_passes) == (15, 65_536, 1)
    assert account.public_url == "https://ai.acme.example"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SIGN_UP", "everybody"),
        ("SIGN_UP", "domain"),
        ("SIGN_UP_DOMAINS", "acme"),
        ("SIGN_UP_DOMAINS", "@acme.example"),
        ("SIGN_UP_DOMAINS", "acme.example;evil.example"),
        ("SIGN_UP_DOMAINS", "*.example"),
        ("SIGN_UP_DOMAINS", ",".join(f"d{number}.example" for number in range(101))),
        ("PASSWORD_MIN_LENGTH", "7"),
        ("PASSWORD_MIN_LENGTH", "129"),
        ("PASSWORD_MEMORY_KIB", "7167"),
        ("PASSWORD_MEMORY_KIB", "65537"),
        ("PASSWORD_PASSES", "0"),
        ("PASSWORD_PASSES", "1"),
        ("PUBLIC_URL", "ai.acme.example"),
    ],
)
def test_a_bad_setting_of_accounts_is_named(name: str, text: str) -> None:
    """Also a cost for passwords that is below OWASP's least: 19 MiB with a single pass."""
    with pytest.raises(ConfigError, match="SIGN_UP" if name.startswith("SIGN") else name):
        read(REQUIRED | {name: text})


def mail(**variables: str) -> MailConfig:
    return read({**REQUIRED, **variables}).mail


def test_mail_is_off_where_nothing_is_said() -> None:
    """And says so when one should be sent: `NoMailer`."""
    assert mail() == MailConfig(MailKind.NONE)


def test_the_outbox_is_for_ones_own_machine() -> None:
    """It shows everybody's mails to anybody, so no deployment that others reach has one."""
    assert mail(MAIL="outbox", PUBLIC_URL="http://127.0.0.1:8787").kind is MailKind.OUTBOX
    for url in ("https://headgate.example", "http://127.0.0.1.evil.example", ""):
        with pytest.raises(ConfigError, match="MAIL is outbox"):
            mail(MAIL="outbox", PUBLIC_URL=url)


@pytest.mark.parametrize(
    ("text", "address", "name"),
    [
        ("no-reply@b.example", "no-reply@b.example", ""),
        ("Headgate at B <no-reply@b.example>", "no-reply@b.example", "Headgate at B"),
    ],
)
def test_a_sender_is_an_address_with_or_without_a_name(text: str, address: str, name: str) -> None:
    """As it stands in the mail."""
    read_mail = mail(MAIL="cloudflare", MAIL_FROM=text)
    assert (read_mail.address, read_mail.name, read_mail.sender) == (address, name, text)


@pytest.mark.parametrize(
    "text", ["", "nobody", "<a@b.example>", "A\r\nBcc: x@y.example <a@b.example>", 'A" <a@b.example>', "a@b, c@d"]
)
def test_another_sender_is_refused(text: str) -> None:
    """Whoever can set it wrongly is told before the first mail."""
    with pytest.raises(ConfigError, match="MAIL_FROM"):
        mail(MAIL="cloudflare", MAIL_FROM=text)


def test_a_provider_needs_its_key() -> None:
    """Its address is Resend's where nothing is said; the key never shows."""
    with pytest.raises(ConfigError, match="MAIL_API_KEY"):
        mail(MAIL="http", MAIL_FROM="a@b.example")
    made = mail(MAIL="http", MAIL_FROM="a@b.example", MAIL_API_KEY="hunter2")
    assert (made.api_url, made.api_key) == ("https://api.resend.com/emails", "hunter2")
    assert "hunter2" not in repr(made)
    other = mail(MAIL="http", MAIL_FROM="a@b.example", MAIL_API_KEY="k", MAIL_API_URL="https://mail.example/send")
    assert other.api_url == "https://mail.example/send"
    with pytest.raises(ConfigError, match="MAIL_API_URL"):
        mail(MAIL="http", MAIL_FROM="a@b.example", MAIL_API_KEY="k", MAIL_API_URL="mail.example")
    with pytest.raises(ConfigError, match="MAIL must be none"):
        mail(MAIL="pigeon")


def test_objects_are_placed_as_the_settings_say() -> None:
    """And anywhere, where they say nothing. What Cloudflare does not know is named."""
    place = read(REQUIRED | {"GATE_LOCATION": "weur", "JURISDICTION": "eu"}).place
    assert (place.gate_location, place.jurisdiction) == ("weur", "eu")
    assert read(REQUIRED).place == read(REQUIRED | {"GATE_LOCATION": "", "JURISDICTION": ""}).place == PlaceConfig()
    for name in ("GATE_LOCATION", "JURISDICTION"):
        with pytest.raises(ConfigError, match=name):
            read(REQUIRED | {name: "EU"})
